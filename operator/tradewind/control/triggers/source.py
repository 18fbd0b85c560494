"""The protocol of a source of triggers: it is checked and returns what it found."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot
from tradewind.kube.resources import Key
from tradewind.plan.triggers.trigger import Firing, Given


class NotReady(Exception):
    """Something has to be fixed before the trigger can fire. The message says what, `reason` why in one word; `status` has the fields that
    are known nevertheless."""

    def __init__(self, message: str, reason: str = "", status: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason, self.status = reason, status or {}


class Skipped(Exception):
    """An occasion gets no run. The message says why."""


@dataclass(frozen=True, slots=True)
class DueRun:
    """An occasion with a run to make. `name` is the name of the run; `firing` returns its details and raises Skipped, ExpressionError and
    errors of the API."""

    name: str
    firing: Callable[[], Awaitable[Firing]]
    given: Given | None = None
    """The values for the run, if they were computed before."""
    since: float | None = None
    """Since when (epoch seconds) the run is due; None if that says nothing about the latency of triggers."""


@dataclass(frozen=True, slots=True)
class SourceResult:
    """The result of a source. `status` are fields of the trigger's status, `at` is when (epoch seconds) to check again, `runs` are existing
    runs of the trigger that may be new to the operator."""

    status: Mapping[str, Any] = field(default_factory=dict)
    at: float | None = None
    runs: Sequence[Run] = ()


@dataclass(frozen=True, slots=True)
class DueRuns:
    """Runs that a source wants made, in order. `then(fired)` returns the result of the source, given the outcomes of the first of them; the
    rate limit defers the others."""

    runs: Sequence[DueRun]
    then: Callable[[Sequence[Fired]], Awaitable[SourceResult]]
    on_record: bool = False
    """Whether they come from the status because they can't be computed again. They are made only after that status was written over the
    version read."""
    paced: bool = True
    """Whether `spec.maxPerMinute` applies."""
    each: bool = False
    """Whether a run that the API server refuses does not block those after it."""
    replaced: Sequence[Run] = ()
    """Runs to cancel first."""


class Source(Protocol):
    """A reason for triggers to fire. It writes nothing: the reconciler writes the status and makes the runs."""

    async def look(self, trigger: TriggerSnapshot) -> SourceResult | DueRuns:
        """Checks everything that has happened. Raises NotReady, ExpressionError and errors of the API; then it is called again."""

    def forget(self, key: Key) -> None:
        """Drops a trigger that is gone, suspended, invalid or no longer of this source."""
