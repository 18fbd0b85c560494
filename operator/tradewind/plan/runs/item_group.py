"""An active fan-out: its items as units, counted by state."""

from collections import Counter
from dataclasses import dataclass, field

from tradewind.model.fan_out import ForEach
from tradewind.model.shown import counted
from tradewind.plan.dags.fan_out import hopeless, outcome
from tradewind.plan.outcomes.state import FINAL, NONE_YET, State
from tradewind.plan.runs.gate import Ruling
from tradewind.plan.runs.unit import Unit


@dataclass(slots=True)
class Group:
    """A fan-out. It has no units before its items are known."""

    task: str
    source: ForEach
    units: list[Unit] | None = None
    tally: Counter[State] = field(default_factory=lambda: Counter(NONE_YET))
    state: State = State.BLOCKED
    why: str = ""
    aborted: bool = False
    """Whether nothing more runs, since it can't succeed any more and fails fast."""
    news: list[str] | None = None
    """For a handler, the tasks that may have ended since it was settled last; None for others."""
    rulings: dict[State, Ruling] = field(default_factory=dict)
    """For a chained fan-out, by the state of a counterpart, what its gate says of such items; kept until a task before it
    ends."""
    outdated: dict[State, Ruling] | None = None
    """The rulings before a task before it ended, until the fan-out is settled."""
    awaited: int = 0
    """For a handler, the number of tasks that have not ended."""

    def outdate(self) -> None:
        """A task before it has ended."""
        self.outdated = self.rulings if self.outdated is None else {}
        self.rulings = {}

    @property
    def live(self) -> int:
        """The number of items with a pod."""
        return self.tally[State.PENDING] + self.tally[State.RUNNING]

    def stand(self) -> tuple[State, str]:
        """The fan-out's state, once it has units."""
        if self.awaited:
            return (State.RUNNING if self.live else State.BLOCKED), ""
        if self.news is not None and self.units is None:
            return State.SKIPPED, "there is nothing to handle"
        assert self.units is not None  # noqa: S101 - the caller knows
        total = len(self.units)
        ratio = self.source.min_success_ratio
        if not total:
            return State.SKIPPED, "there are no items"
        if self.source.fail_fast and hopeless(self.tally, total, ratio):
            self.aborted = True
        cancelled = self.tally[State.CANCELLED]
        if sum(self.tally[state] for state in FINAL) == total and cancelled and not self.aborted:
            return State.CANCELLED, f"{cancelled} of {counted(total, 'item')} cancelled"
        found = outcome(self.tally, total, ratio)
        if found is not None:
            return found, self._story(found, total)
        for state in (State.RUNNING, State.PENDING, State.READY, State.WAITING):
            if self.tally[state]:
                return state, ""
        return State.BLOCKED, ""

    def _story(self, found: State, total: int) -> str:
        if found is State.SKIPPED:
            return f"all {total} items were skipped" if total > 1 else "its only item was skipped"
        names = ("succeeded", "failed", "lost", "skipped", "not run for failures upstream", "stopped")
        states = (State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED, State.UPSTREAM_FAILED, State.CANCELLED)
        parts = [f"{self.tally[state]} {name}" for state, name in zip(states, names, strict=True) if self.tally[state]]
        return f"of {counted(total, 'item')} {', '.join(parts)}"
