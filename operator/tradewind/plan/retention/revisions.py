"""Which revisions of a DAG may be deleted."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class Keep(NamedTuple):
    """What is kept of a DAG's revisions, beside those that runs use."""

    current: int
    """The number of the one that holds the DAG's spec; 0 for none."""
    limit: int
    """How many others. The newest is kept in any case: its number must not be given out again."""


def surplus(numbers: Mapping[str, int], keep: Keep | None, used: Collection[str]) -> list[str]:
    """The revisions to delete, the oldest first. `numbers` are all that there are, by name; of a DAG that is gone (no `keep`) only those
    stay that runs use."""
    spare = [(number, name) for name, number in numbers.items() if name not in used]
    if keep is not None:
        newest = max(numbers.values(), default=0)
        spare = [item for item in spare if item[0] not in (keep.current, newest)]
    return [name for _, name in sorted(spare)[: max(0, len(spare) - (keep.limit if keep else 0))]]
