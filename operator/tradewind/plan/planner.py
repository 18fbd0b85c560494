"""The planner: from what is so, what to do next. A pure function; every decision says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tradewind.model.run import Phase
from tradewind.model.task import Retries
from tradewind.plan.attempt import CANCELLED, PERMANENT, Attempt
from tradewind.plan.graph import Graph
from tradewind.plan.retry import backoff


class State(StrEnum):
    """Where a task stands."""

    BLOCKED = "Blocked"
    """Some dependency has not ended."""
    READY = "Ready"
    """Its next attempt is to be created now."""
    WAITING = "Waiting"
    """Its next attempt is due later."""
    PENDING = "Pending"
    """A pod exists and has not started."""
    RUNNING = "Running"
    """A pod runs."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UPSTREAM_FAILED = "UpstreamFailed"
    """A dependency failed, so it will never run."""
    CANCELLED = "Cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.UPSTREAM_FAILED, State.CANCELLED})
LIVE = frozenset({State.PENDING, State.RUNNING})


@dataclass(frozen=True, slots=True)
class Live:
    """A pod that has not ended. `pending_since` is monotonic seconds, None once its container has started."""

    number: int
    pending_since: float | None = None
    stopping: bool = False
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a task runs: retries and how long an attempt may wait to start, in seconds."""

    retries: Retries = Retries()
    pending_timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so. `ended` holds every attempt that has ended, in order, per task; `live` the pods that have not;
    `ended_seen` when (monotonic seconds) this process first saw the last attempt of a task ended."""

    ended: Mapping[str, Sequence[Attempt]]
    live: Mapping[str, Live]
    ended_seen: Mapping[str, float] = field(default_factory=dict)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Create the pod of this attempt."""

    task: str
    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Delete the pod of this attempt. `reason` is what the attempt ends as."""

    task: str
    number: int
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A task that waits for something other than its dependencies."""

    task: str
    reason: str
    message: str


@dataclass(slots=True)
class Plan:
    """What to do now, and when to ask again (monotonic seconds) if nothing happens before."""

    states: dict[str, State] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    phase: Phase = "Running"
    message: str = ""
    wake_at: float | None = None

    def wake(self, at: float) -> None:
        """Asks for another look at `at`, or earlier."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def plan(graph: Graph, terms: Mapping[str, Terms], facts: Facts, now: float) -> Plan:
    """What to do, given the facts, at `now` (monotonic seconds)."""
    result = Plan()
    for task in graph.order:
        result.states[task] = _state(task, graph, terms[task], facts, now, result)
    _conclude(graph, facts, result)
    return result


def _state(task: str, graph: Graph, terms: Terms, facts: Facts, now: float, result: Plan) -> State:
    ended = facts.ended.get(task, ())
    live = facts.live.get(task)
    if ended and ended[-1].succeeded:
        return State.SUCCEEDED
    if live is not None:
        return _watch(task, live, terms, facts.cancelled, now, result)
    if facts.cancelled:
        return State.FAILED if ended and ended[-1].reason != CANCELLED and _over(terms, ended) else State.CANCELLED
    if ended:
        return _again(task, ended, terms, facts, now, result)
    states = [result.states[name] for name in graph.upstream[task]]
    if any(state in (State.FAILED, State.UPSTREAM_FAILED) for state in states):
        return State.UPSTREAM_FAILED
    if all(state is State.SUCCEEDED for state in states):
        why = "its dependencies succeeded" if states else "it depends on nothing"
        result.starts.append(Start(task, 1, why))
        return State.READY
    return State.BLOCKED


def _over(terms: Terms, ended: Sequence[Attempt]) -> bool:
    return backoff(terms.retries, ended) is None


def _watch(task: str, live: Live, terms: Terms, cancelled: bool, now: float, result: Plan) -> State:
    """A pod exists: leave it alone, unless the run is cancelled or it does not get started."""
    if live.stopping:
        return State.RUNNING if live.pending_since is None else State.PENDING
    if cancelled:
        result.stops.append(Stop(task, live.number, CANCELLED, "the run is cancelled"))
    elif live.pending_since is not None:
        deadline = live.pending_since + terms.pending_timeout
        if now >= deadline:
            what = live.message or "it has not started"
            why = f"not started after {terms.pending_timeout:g} s: {what}"
            result.stops.append(Stop(task, live.number, "PendingTimeout", why))
        else:
            result.wake(deadline)
        if live.reason:
            result.holds.append(Hold(task, live.reason, live.message))
    return State.RUNNING if live.pending_since is None else State.PENDING


def _again(task: str, ended: Sequence[Attempt], terms: Terms, facts: Facts, now: float, result: Plan) -> State:
    """The last attempt did not succeed: is there another, and is it due?"""
    last = ended[-1]
    wait = backoff(terms.retries, ended)
    if wait is None:
        return State.CANCELLED if last.reason == CANCELLED else State.FAILED
    due = facts.ended_seen.get(task, now) + wait
    number = last.number + 1
    if now >= due:
        result.starts.append(Start(task, number, f"attempt {last.number} ended with {last.reason}"))
        return State.READY
    result.wake(due)
    message = f"attempt {number} starts {wait:g} s after attempt {last.number} ended with {last.reason}"
    result.holds.append(Hold(task, "BackOff", message))
    return State.WAITING


def _conclude(graph: Graph, facts: Facts, result: Plan) -> None:
    """The run's phase: it ends when every task has ended and no pod is alive."""
    states = result.states
    if not all(state in FINAL for state in states.values()) or facts.live:
        result.message = "being cancelled" if facts.cancelled else ""
        return
    failed = [task for task in graph.order if states[task] is State.FAILED]
    if all(state is State.SUCCEEDED for state in states.values()):
        result.phase, result.message = "Succeeded", f"{len(states)} of {len(states)} tasks succeeded"
    elif facts.cancelled or State.CANCELLED in states.values():
        done = sum(state is State.SUCCEEDED for state in states.values())
        result.phase, result.message = "Cancelled", f"cancelled after {done} of {len(states)} tasks had succeeded"
    else:
        result.phase, result.message = "Failed", _blame(failed, facts, states)


def _blame(failed: Sequence[str], facts: Facts, states: Mapping[str, State]) -> str:
    """Which tasks failed and why, shortly; and what could not run for it."""
    shown = []
    for task in failed[:5]:
        last = facts.ended[task][-1]
        code = f", exit code {last.exit_code}" if last.exit_code else ""
        tries = f" after {last.number} attempts" if last.number > 1 and last.reason not in PERMANENT else ""
        shown.append(f"{task} ({last.reason}{code}){tries}")
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    blocked = sum(state is State.UPSTREAM_FAILED for state in states.values())
    rest = (
        f"; {blocked} tasks downstream did not run"
        if blocked > 1
        else "; 1 task downstream did not run"
        if blocked
        else ""
    )
    return f"failed: {', '.join(shown)}{more}{rest}"
