"""Which runs of a DAG come before another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the same DAG."""

    name: str
    phase: str
    moment: float
    """Epoch seconds of its logical date."""
    created: int
    """Epoch seconds of its creation, which is the logical date of a run without one."""
    dated: bool
    """Whether its spec has a logical date."""


Past = TypeVar("Past", bound=PastRun)


def before(other: PastRun, run: PastRun) -> bool:
    """Whether `other` comes before `run`: its logical date is earlier. Two runs of one date are a run and its rerun, of which neither
    comes before the other; runs without a date that were created in the same second have the order of their names."""
    if other.moment != run.moment:
        return other.moment < run.moment
    return not other.dated and not run.dated and other.name < run.name


def previous(run: PastRun, others: Iterable[PastRun]) -> PastRun | None:
    """The run before: of the latest earlier date, the run that was created last."""
    return _latest(run, others, lambda other: True)


def last_success(run: PastRun, others: Iterable[PastRun]) -> PastRun | None:
    """The latest run before that has succeeded."""
    return _latest(run, others, lambda other: other.phase == "Succeeded")


def predecessor(run: PastRun, others: Iterable[Past]) -> Past | None:
    """The run before that was not cancelled."""
    return _latest(run, others, lambda other: other.phase != "Cancelled")


def awaited(run: PastRun, others: Iterable[PastRun]) -> PastRun | None:
    """The run that `waitForPrevious` waits for; None if there is none. A cancelled run is waited for no more."""
    found = predecessor(run, others)
    return None if found is None or found.phase == "Succeeded" else found


def _latest(run: PastRun, others: Iterable[Past], counts: Callable[[PastRun], bool]) -> Past | None:
    return max((other for other in others if before(other, run) and counts(other)), key=_place, default=None)


def _place(run: PastRun) -> tuple[float, int, str]:
    return run.moment, run.created, run.name
