"""One unit of work, a task or an item, with its attempts: watch its pod, retry it, or leave it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.plan.dags.definition import Terms
from tradewind.plan.outcomes.attempt import (
    LOOP_FAILED,
    LOST,
    SKIPS,
    STOPPED,
    SUPERSEDED,
    TOTAL_TIMEOUT,
    Attempt,
    key,
)
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import GATED, Hold, Live, Stop
from tradewind.plan.runs.retry import RetryState, retry_state

_IMAGE = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ErrImageNeverPull", "ImageInspectError"}
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError"})
"""Why a container can't be created: an object that it names is missing or invalid."""
_ADVICE = {
    "Unschedulable": "make room, or ask for less in resources, nodeSelector and tolerations",
    "ImagePullFailed": "check the image's name, its registry and imagePullSecrets",
    "ConfigError": "create what is missing, or fix env and envFrom",
    "PendingTimeout": "see `kubectl describe pod`",
}


@dataclass(slots=True)
class Unit:
    """A task, or an item of a fan-out. `ended` holds its ended attempts, in order; `seen` is when (monotonic seconds)
    this process first saw the last of them."""

    task: str
    index: int | None = None
    item: Any = None
    ended: Sequence[Attempt] = ()
    seen: float = 0.0
    before: int = 0
    """Number of the last attempt that does not count any more; those in `ended` come after it."""
    retried: int = 0
    """Number of the last attempt before a person had it tried again: those after it have a fresh budget."""
    live: Live | None = None
    state: State = State.BLOCKED
    why: str = ""
    failed_as: str = ""
    """Why it fails although its last attempt may be tried again, or has succeeded: LOOP_FAILED, TOTAL_TIMEOUT or empty."""
    spent: RetryState = field(default_factory=lambda: RetryState(None))

    @property
    def key(self) -> str:
        """`task` or `task[index]`."""
        return key(self.task, self.index)

    @property
    def next(self) -> int:
        """Number of the next attempt."""
        return self.ended[-1].number + 1 if self.ended else self.before + 1


@dataclass(slots=True)
class Advice:
    """The state of a unit with attempts, and what to do."""

    state: State
    why: str = ""
    stop: Stop | None = None
    hold: Hold | None = None
    wake_at: float | None = None


def advise(
    unit: Unit,
    terms: Terms,
    stop: tuple[str, str] | None,
    seed: str,
    now: float,
    loop_ends: Callable[[Unit], tuple[State, str] | None],
    skips: Callable[[Unit], bool],
) -> Advice | None:
    """What to do with a unit that has attempts; None if it has none. `stop` is the reason and explanation for which
    nothing more may run; `loop_ends` gives the end of a unit whose last attempt succeeded, None if it continues; `skips` says whether
    skipOn skips a unit that fails between two attempts."""
    unit.failed_as = ""
    if unit.live and unit.live.number <= unit.before:
        return _superseded(unit, unit.live, "the task was cleared")
    if unit.ended and unit.ended[-1].succeeded and (end := loop_ends(unit)):
        return Advice(*end)
    unit.spent = retry_state(
        terms.retries, unit.ended, unit.retried, f"{seed}/{unit.key}", terms.iterations, terms.delay
    )
    if unit.live is not None:
        return _watch(unit, unit.live, terms, stop, now)
    if not unit.ended:
        return None
    last = unit.ended[-1]
    if unit.spent.wait is None:
        if last.succeeded:
            unit.failed_as = LOOP_FAILED
            if skips(unit):
                return Advice(State.SKIPPED, _skipped(unit.spent.why))
        if last.reason in SKIPS:
            return Advice(State.SKIPPED, SKIPS[last.reason])
        if last.reason in STOPPED:
            return Advice(State.CANCELLED, f"attempt {last.number} was stopped ({last.reason})")
        return Advice(State.LOST if last.reason in LOST else State.FAILED, unit.spent.why)
    if terms.total_timeout is not None and _spent(unit, last.end) + unit.spent.wait >= terms.total_timeout:
        # This follows from the attempts alone: it stays so, whatever stops the run later.
        why = f"no time for another attempt within totalTimeout ({terms.total_timeout:g} s)"
        unit.failed_as = TOTAL_TIMEOUT
        if last.reason not in LOST and skips(unit):
            return Advice(State.SKIPPED, _skipped(why))
        return Advice(State.LOST if last.reason in LOST else State.FAILED, why)
    if stop:
        return Advice(State.CANCELLED, stop[1])
    return _again(unit, last, unit.spent.wait, now)


def _skipped(why: str) -> str:
    return f"{why}, and skipOn skips it"


def fix(unit: Unit, state: State, why: str) -> Advice:
    """What to do with a unit whose final state a person has set."""
    unit.failed_as = ""
    return Advice(state, why) if unit.live is None else _superseded(unit, unit.live, why)


def _superseded(unit: Unit, live: Live, why: str) -> Advice:
    """A live pod whose result does not count any more."""
    stop = None if live.stopping else Stop(unit.key, live.number, SUPERSEDED, why)
    return Advice(State.RUNNING if live.pending_since is None else State.PENDING, why, stop)


def _spent(unit: Unit, until: int) -> int:
    """Seconds from the start of the first attempt of this budget to an API timestamp."""
    ours = unit.ended[unit.spent.first :]
    return max(0, until - ours[0].start) if ours else 0


def _watch(unit: Unit, live: Live, terms: Terms, stop: tuple[str, str] | None, now: float) -> Advice:
    """A pod exists: leave it alone, unless it must be stopped or does not start."""
    advice = Advice(State.RUNNING if live.pending_since is None else State.PENDING)
    if live.stopping:
        return advice
    if stop:
        advice.stop = Stop(unit.key, live.number, *stop)
        return advice
    deadline, reason, why = _deadline(unit, live, terms)
    if deadline is not None:
        if now >= deadline:
            advice.stop = Stop(unit.key, live.number, reason, why)
        else:
            advice.wake_at = deadline
    if live.reason == "InvalidImageName":
        advice.stop = Stop(unit.key, live.number, "ImageInvalid", f"{live.message}; fix `image`")
    if live.reason:
        advice.hold = Hold(unit.key, live.reason, live.message)
    return advice


def _deadline(unit: Unit, live: Live, terms: Terms) -> tuple[float | None, str, str]:
    """The latest time to stop the attempt, with the reason and message."""
    deadline, reason, why = None, "", ""
    if live.pending_since is not None and live.reason != GATED:
        deadline = live.pending_since + terms.pending_timeout
        reason = _pending_reason(live.reason)
        what = f": {live.message}" if live.message else ""
        why = f"not started after {terms.pending_timeout:g} s (pendingTimeout){what}; {_ADVICE[reason]}"
    if terms.total_timeout is not None:
        # API timestamps are compared with each other only: the time before this process saw the pod, and the time
        # since.
        end = live.seen - _spent(unit, live.created) + terms.total_timeout
        if deadline is None or end < deadline:
            deadline, reason = end, "TotalTimeout"
            why = f"its attempts took longer than totalTimeout ({terms.total_timeout:g} s) together"
    return deadline, reason, why


def _pending_reason(reason: str) -> str:
    if reason in _IMAGE:
        return "ImagePullFailed"
    if reason in CONFIG_REASONS:
        return "ConfigError"
    return "Unschedulable" if reason == "Unschedulable" else "PendingTimeout"


def _again(unit: Unit, last: Attempt, wait: float, now: float) -> Advice:
    """Another attempt, or the next iteration, is allowed: start it if it is due."""
    due, number = unit.seen + wait, last.number + 1
    how = "and loop.until does not hold" if last.succeeded else f"with {last.reason}"
    if now >= due:
        return Advice(State.READY, f"attempt {last.number} ended {how}")
    message = f"attempt {number} starts {wait:g} s after attempt {last.number} ended {how}"
    return Advice(State.WAITING, hold=Hold(unit.key, "Loop" if last.succeeded else "BackOff", message), wake_at=due)
