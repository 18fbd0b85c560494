"""What a source of triggers is: it is looked at, and says what it found."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot
from tradewind.kube.resources import Key
from tradewind.plan.triggers.trigger import Firing, Given


class NotReady(Exception):
    """Something has to be fixed before the trigger can fire. The message says what, the reason why in one word; `status` is what can be
    said all the same."""

    def __init__(self, message: str, reason: str = "", status: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason, self.status = reason, status or {}


class Skipped(Exception):
    """An occasion gets no run. The message says why."""


@dataclass(frozen=True, slots=True)
class DueRun:
    """An occasion whose run is to be made. `name` is that of the run, `firing` gives what is known of it, and raises Skipped,
    ExpressionError and what the API raises."""

    name: str
    firing: Callable[[], Awaitable[Firing]]
    given: Given | None = None
    """What the run is given, if that was worked out before."""
    since: float | None = None
    """Since when (epoch seconds) it was due; None where that says nothing about how fast triggers are."""


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source found. `status` are fields of the trigger's status, `at` is when (epoch seconds) it wants to look again, `runs` are
    runs of the trigger that were there already, and may be news."""

    status: Mapping[str, Any] = field(default_factory=dict)
    at: float | None = None
    runs: Sequence[Run] = ()


@dataclass(frozen=True, slots=True)
class DueRuns:
    """Runs that a source wants made, in order. `then(fired)` is what it has found, with what became of the first of them: those that are
    left come too fast, and are looked at again later."""

    runs: Sequence[DueRun]
    then: Callable[[Sequence[Fired]], Awaitable[SourceResult]]
    on_record: bool = False
    """Whether they come from the status, for they can't be worked out again: they are made once that is written, over what was read."""
    paced: bool = True
    """Whether `spec.maxPerMinute` counts."""
    each: bool = False
    """Whether one that the API server refuses is not in the way of those after it."""
    replaced: Sequence[Run] = ()
    """Runs that are to be cancelled before."""


class Source(Protocol):
    """What makes triggers fire. It writes nothing: what it finds is written, and made, by the reconciler."""

    async def look(self, trigger: TriggerSnapshot) -> SourceResult | DueRuns:
        """Looks at everything that has happened. Raises NotReady, ExpressionError and what the API raises; it is asked again then."""

    def forget(self, key: Key) -> None:
        """A trigger is gone, suspended, invalid or no longer of this source."""
