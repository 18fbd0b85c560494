"""Which revisions of a DAG may be deleted."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class Keep(NamedTuple):
    """The revisions of a DAG to keep, in addition to those that runs use."""

    current: int
    """The number of the revision with the DAG's spec; 0 for none."""
    limit: int
    """How many others. The newest is always kept: its number must not be reused."""


def surplus(numbers: Mapping[str, int], keep: Keep | None, used: Collection[str]) -> list[str]:
    """The revisions to delete, oldest first. `numbers` are all existing ones, by name. For a deleted DAG (no `keep`)
    only those that runs use stay."""
    spare = [(number, name) for name, number in numbers.items() if name not in used]
    if keep is not None:
        newest = max(numbers.values(), default=0)
        spare = [item for item in spare if item[0] not in (keep.current, newest)]
    return [name for _, name in sorted(spare)[: max(0, len(spare) - (keep.limit if keep else 0))]]
