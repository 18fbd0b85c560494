"""Which objects of a bucket are new, and the state needed to know.

Objects are processed in the order of their times. The status keeps the latest processed ones, and a mark: everything up
to the mark has been processed, or existed before. So an object that appears late (its time is the beginning of its
upload) is not missed as long as the ones processed meanwhile are still remembered."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from tradewind.model.sensor import MOST_KEYS

KEYS_REMEMBERED = 100
"""Objects that get runs after one poll; the others follow immediately."""
SETTLED = 2.0
"""Seconds that an object is left alone: in the meantime others of the same time may appear."""
Mark = tuple[float, str]
"""A time (epoch seconds), and a key."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object in a bucket. `modified` is the time as the server writes it."""

    key: str
    size: int
    etag: str
    modified: str

    @property
    def mark(self) -> Mark:
        """Its position in the order."""
        return datetime.fromisoformat(self.modified.replace("Z", "+00:00")).timestamp(), self.key

    @property
    def digest(self) -> str:
        """Its key as the status keeps it."""
        return digest(identity(self.key, self.etag, self.modified))


def identity(key: str, etag: str, modified: str) -> str:
    """The identity of an object; one that is written again gets another."""
    return f"{key}\0{etag}\0{modified}"


def digest(key: str) -> str:
    """A key as the status keeps it."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Objects to process, and the state to remember afterwards."""

    found: Sequence[Object]
    mark: Mark
    keys: Sequence[str]
    more: bool


def fresh(there: Sequence[Object], mark: Mark, keys: Collection[str], now: float) -> Fresh:
    """The new ones among the objects that are `there`; `keys` are the digests of those after the `mark` that were
    processed. `now` is epoch seconds, by the clock of the objects' times."""
    after = sorted((item for item in there if item.mark > mark), key=lambda item: item.mark)
    known = set(keys)
    new = [item for item in after if item.digest not in known and item.mark[0] <= now - SETTLED]
    found = new[:KEYS_REMEMBERED]
    known.update(item.digest for item in found)
    dealt = [item.digest in known for item in after]
    kept = sum(dealt)
    first = 0
    while kept > MOST_KEYS and first < len(after) and dealt[first]:
        first, kept = first + 1, kept - 1
    mark = after[first - 1].mark if first else mark
    return Fresh(
        found, mark, [item.digest for item in after[first:] if item.digest in known], len(new) > KEYS_REMEMBERED
    )
