"""One result of the bench."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One result against its target; `floor` and `value` are in `unit`."""

    what: str
    value: float
    unit: str
    floor: float | None
    target: str
    met: bool
    points: list[tuple[float, float]] = field(default_factory=list)
    """The points of its plot, if it has one."""
    plot: str = ""
    """The kind of the plot: a key of plots.AXES."""
