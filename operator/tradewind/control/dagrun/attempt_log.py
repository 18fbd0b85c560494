"""Ended attempts as text in the status of a run, compact enough for ten thousand tasks.

One line per attempt: `task start+seconds` (or `task[item] start+seconds`), with the start counted from the run's creation, followed only by
values that differ from their default: `#2` the attempt (1), `@1` the node's index in status.nodes (0), `=137` the exit code, and the reason
(succeeded). Two kinds of lines are not attempts: `task ^2` says that attempts up to the second no longer count, `task ~Skipped why` that
the task ended in that state. Older lines are compressed: the cost of a write to the API server grows with the object's size.
"""

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tradewind.plan.outcomes.attempt import Attempt, Cleared, Fixed, Retried
from tradewind.plan.outcomes.state import State

ATTEMPT_LOG_BYTES = 12 * 1024
"""Bytes of lines that stay readable; beyond that, older lines move to the archive."""
LATEST = 4 * 1024
"""Bytes of lines that stay readable then, at most."""
WHY = 200
"""Characters of an explanation."""
UNPACKED_BYTES_LIMIT = 64 * 1024 * 1024
"""Bytes to which an archive may unpack. Even compressed, more than that exceeds etcd's limit, so no run written by Tradewind reaches it."""


class Packed(NamedTuple):
    """Ended attempts in their stored form."""

    text: str = ""
    """The latest lines."""
    archive: str = ""
    """The lines before them: gzip in base64."""
    nodes: tuple[str, ...] = ()
    """The nodes to which lines refer."""

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> "Packed":
        """The attempts of a run's status. Raises ValueError where these fields have another type."""
        text, archive, nodes = status.get("attempts") or "", status.get("archive") or "", status.get("nodes") or ()
        if not isinstance(text, str) or not isinstance(archive, str):
            raise ValueError("status.attempts and status.archive have to be texts")
        if not isinstance(nodes, list | tuple) or not all(isinstance(node, str) for node in nodes):
            raise ValueError("status.nodes has to be a list of names")
        return cls(text, archive, tuple(nodes))


class Log(NamedTuple):
    """The decoded lines."""

    attempts: list[Attempt]
    """In the order of the lines, including those that no longer count."""
    cleared: dict[str, int]
    """By task or item: the last attempt that doesn't count."""
    fixed: dict[str, Fixed]
    """By task or item: how it ended, whatever its attempts say."""
    retried: dict[str, int]
    """By task or item: the last attempt before its latest retry by a person."""


Entry = Attempt | Cleared | Retried | Fixed


def append(packed: Packed, entries: Iterable[Entry], epoch: int) -> Packed:
    """`packed` with more entries. `epoch` is the run's creation in epoch seconds. Raises ValueError for an archive that `append` did not
    produce."""
    places = {node: place for place, node in enumerate(packed.nodes)}
    lines = [packed.text] if packed.text else []
    for entry in entries:
        if not isinstance(entry, Attempt):
            lines.append(_encoded(entry))
            continue
        attempt = entry
        parts = [attempt.task, f"{attempt.start - epoch}+{attempt.end - attempt.start}"]
        if attempt.number != 1:
            parts.append(f"#{attempt.number}")
        if index := places.setdefault(attempt.node, len(places)):
            parts.append(f"@{index}")
        if attempt.exit_code:
            parts.append(f"={attempt.exit_code}")
        if attempt.reason:
            parts.append(attempt.reason)
        lines.append(" ".join(parts))
    text, archive = "\n".join(lines), packed.archive
    if len(text) > ATTEMPT_LOG_BYTES:
        cut = text.find("\n", len(text) - LATEST) + 1
        archive, text = _pack(_unpack(archive) + text[:cut]), text[cut:]
    return Packed(text, archive, tuple(places))


def decode(packed: Packed, epoch: int) -> Log:
    """Decodes the lines; `epoch` as in `append`. Raises ValueError for text that `append` did not produce."""
    log = Log([], {}, {}, {})
    for entry in each_entry(packed, epoch):
        match entry:
            case Attempt():
                log.attempts.append(entry)
            case Cleared(key, number):
                log.cleared[key] = max(number, log.cleared.get(key, 0))
                log.fixed.pop(key, None)
            case Retried(key, number):
                log.retried[key] = max(number, log.retried.get(key, 0))
            case Fixed(key):
                log.fixed[key] = entry
    return log


def each_entry(packed: Packed, epoch: int, most: int = UNPACKED_BYTES_LIMIT) -> Iterator[Entry]:
    """The lines one by one, for whom not all fit into memory at once; `epoch` as in `append`. Raises ValueError for text that `append` did
    not produce, and for an archive of more than `most` bytes."""
    for text in (_unpack(packed.archive, most), packed.text):
        begin = 0
        while begin < len(text):
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
            if line := text[begin:end]:
                yield _decode(line, packed.nodes, epoch)
            begin = end + 1


def _encoded(entry: Cleared | Retried | Fixed) -> str:
    if isinstance(entry, Cleared):
        return f"{entry.key} ^{entry.number}"
    if isinstance(entry, Retried):
        return f"{entry.key} !{entry.number}"
    return f"{entry.key} ~{entry.state} {' '.join(entry.why[:WHY].split())}".rstrip()


def _pack(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _unpack(archive: str, most: int = UNPACKED_BYTES_LIMIT) -> str:
    if not archive:
        return ""
    try:
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # with gzip's header
        text = unzip.decompress(base64.b64decode(archive, validate=True), most)
        if not unzip.eof:
            raise ValueError("it is cut off, or unpacks to too much")
        return text.decode()
    except (ValueError, binascii.Error, zlib.error) as error:
        raise ValueError(f"status.archive can't be read: {error}") from None


def _decode(line: str, nodes: tuple[str, ...], epoch: int) -> Entry:
    try:
        task, times, *rest = line.split(" ")
        if times[:1] == "^":
            return Cleared(task, int(times[1:]))
        if times[:1] == "!":
            return Retried(task, int(times[1:]))
        if times[:1] == "~":
            return Fixed(task, State(times[1:]), " ".join(rest))
        start_text, _, length = times.rpartition("+")
        start = epoch + int(start_text)
        number, node, code, reason = 1, 0, None, ""
        for part in rest:
            match part[0]:
                case "#":
                    number = int(part[1:])
                case "@":
                    node = int(part[1:])
                case "=":
                    code = int(part[1:])
                case _:
                    reason = part
        return Attempt(task, number, start, start + int(length), reason, code, nodes[node] if nodes else "")
    except (ValueError, IndexError):
        raise ValueError(f"status.attempts has a line that can't be read: {line[:80]!r}") from None
