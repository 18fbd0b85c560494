"""Attempts without a pod, which the operator performs itself.

Their progress exists in this process only. After a restart they begin again under the same number: waits and approvals continue unaffected,
as their start is recorded; a request may be sent twice.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tradewind.control.dagrun.state import RunState
from tradewind.control.evaluation.host import Host
from tradewind.control.podless.work import Work, Worker, WorkFailedError
from tradewind.control.pods.observation import Ended
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.control.sensors.sensor_tasks import WAITS, SensorTasks
from tradewind.kube.errors import ApiError, Forbidden
from tradewind.kube.log_fields import extra
from tradewind.model.duration import instant, seconds
from tradewind.model.shown import brief
from tradewind.model.task import Task
from tradewind.model.value import Output
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.typed_values import accepted
from tradewind.plan.outcomes.attempt import SOFT, Attempt
from tradewind.plan.runs.decision import Live, Plan, Start
from tradewind.plan.runs.planner import Planner

log = logging.getLogger(__name__)
VALUES_LIMIT = 32 * 2**20
"""Bytes of the rendered values of a run's attempts in progress: ten thousand can wait, each with a request of a megabyte."""
ACTIVE, WAITING = 14_000, 2_000
"""Bytes that an attempt in progress takes besides its values: with a coroutine, with a timer or a sensor."""
LONGEST_SLEEP = 60.0
"""Seconds after which a wait checks the clock again, since clocks are adjusted."""
MESSAGE_LIMIT = 1_024
"""Characters of what an attempt in progress waits for."""
API_RETRY_SECONDS = 5.0
"""Seconds between two tries while the API server refuses."""


@dataclass(slots=True)
class ActiveAttempt:
    """An attempt in progress. `since` is epoch seconds; `live` is its state for the planner."""

    since: int
    live: Live
    size: int = 0
    """Bytes of its rendered values."""
    active: bool = False
    """Whether the operator does something meanwhile, rather than wait."""
    doing: "asyncio.Task[None] | None" = None
    """None for a wait, and for a sensor, which the poller handles."""
    timer: asyncio.TimerHandle | None = None
    """Of a wait."""
    stopped: tuple[str, str] | None = None


@dataclass(slots=True)
class Doing:
    """The attempts of a run in progress, by task or item, and those that ended since the last pass."""

    active: dict[str, ActiveAttempt] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    """Tasks and items whose state the planner does not know yet."""
    informed: Planner | None = None
    """The planner that was informed; a new one is informed of everything."""
    size: int = 0
    """Bytes of the rendered values of those in progress."""
    held: int = 0
    """Bytes that they take in all."""

    def add(self, key: str, attempt: ActiveAttempt) -> None:
        """An attempt is in progress."""
        self.active[key] = attempt
        self.size += attempt.size
        self.held += attempt.size + (ACTIVE if attempt.active else WAITING)
        self.changed.add(key)

    def remove(self, key: str) -> ActiveAttempt:
        """An attempt is not in progress any more."""
        attempt = self.active.pop(key)
        self.size -= attempt.size
        self.held -= attempt.size + (ACTIVE if attempt.active else WAITING)
        return attempt


class Podless:
    """Performs tasks without pods. `wake(run uid)` is called when one has ended."""

    def __init__(
        self,
        worker: Worker,
        sensors: SensorTasks,
        wake: Callable[[str], None],
        host: Host,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._worker, self._sensors, self._wake, self._clock = host, worker, sensors, wake, clock
        self._runs: dict[str, Doing] = {}

    def tell(self, state: RunState, planner: Planner, now: float) -> None:
        """Informs the planner of attempts in progress and of those that ended since."""
        doing = self._runs.get(state.run.uid)
        if doing is None:
            return
        ended, doing.ended = doing.ended, []
        for end in ended:
            state.finish(end, now)
        if doing.informed is not planner:
            doing.informed, doing.changed = planner, set(doing.active)
        for key in doing.changed:
            attempt = doing.active.get(key)
            if attempt is None:
                continue
            if (recorded := state.attempts.ended.get(key)) and recorded[-1].number >= attempt.live.number:
                # Another operator or a person recorded its end. The status counts, and nothing waits for this attempt.
                self._drop(state.run.uid, key, doing.remove(key))
                if planner.live(key):
                    planner.tell_live(key, None)
            else:
                planner.tell_live(key, attempt.live)
        doing.changed.clear()

    def start(self, state: RunState, planner: Planner, plan: Plan, now: float) -> bool:
        """Begins and stops attempts as planned. Returns whether the run should be reconciled again at once."""
        if not plan.podless and state.run.uid not in self._runs:
            return False
        doing = self._runs.setdefault(state.run.uid, Doing())
        for stop in pacing.each(plan.stops):
            if self._runs.get(state.run.uid) is not doing:
                break
            attempt = doing.active.get(stop.task)
            if attempt is None or attempt.live.number != stop.number or attempt.stopped:
                continue  # A stopped attempt may be withdrawing its question; a second cancellation would interrupt that.
            attempt.stopped = (stop.reason, stop.why)
            if attempt.doing:
                attempt.doing.cancel()
            else:
                self._drop(state.run.uid, stop.task, attempt)
                self.end(state.run.uid, doing, stop.task, stop.reason, stop.why, {})
        for start in pacing.each(plan.podless):
            if pacing.spent() or self._runs.get(state.run.uid) is not doing:
                break  # The next pass continues, unless the run is gone.
            if start.key not in doing.active:
                self._begin(doing, state, planner, start, now)
        return bool(plan.podless)

    def size(self, uid: str) -> int:
        """Bytes that a run's attempts in progress take."""
        return self._runs[uid].held if uid in self._runs else 0

    def active(self, uid: str) -> list[str]:
        """The tasks and items of a run that are performed."""
        return list(self._runs[uid].active) if uid in self._runs else []

    def give_up(self, state: RunState, planner: Planner, waiting: Sequence[Start]) -> tuple[bool, float | None]:
        """Ends those of the sensors waiting for slots whose time is over. Returns whether there were any, and the seconds until the next."""
        found, left = False, list[float]()
        for start in waiting:
            sensor = planner.definition.tasks[start.task].sensor
            if not sensor or not sensor.timeout or start.number > 1:
                continue
            since = _ready(state, planner, start)
            if (rest := since + seconds(sensor.timeout) - self._clock()) > 0:
                left.append(rest)
                continue
            words = f"it got no slots of its pools within {sensor.timeout}"
            ended = self._runs.setdefault(state.run.uid, Doing()).ended
            ended.append(self._failure(start, since, SOFT if sensor.soft_fail else "SensorTimeout", words))
            found = True
        return found, min(left, default=None)

    def forget(self, uid: str) -> None:
        """Stops all attempts of a run that has ended or belongs to another replica."""
        doing = self._runs.pop(uid, None)
        for key, attempt in doing.active.items() if doing else ():
            self._drop(uid, key, attempt)

    def _drop(self, uid: str, key: str, attempt: ActiveAttempt) -> None:
        """Stops an attempt without reporting its end."""
        if attempt.doing:
            attempt.doing.cancel()
        elif attempt.timer:
            attempt.timer.cancel()
        else:
            self._sensors.drop(uid, key)

    async def close(self) -> None:
        """Stops everything."""
        for uid in list(self._runs):
            self.forget(uid)
        await self._worker.close()

    def _begin(self, doing: Doing, state: RunState, planner: Planner, start: Start, now: float) -> None:
        task = planner.definition.tasks[start.task]
        since = int(self._clock())
        if (task.wait or task.sensor) and start.number == 1:
            since = min(since, _ready(state, planner, start))
        renderer = Renderer(start.task, planner.ledger.evaluator(start.key, start.number))
        try:
            if task.sensor:
                self._sense(doing, state, planner, start, task, since, now, renderer)
                return
            work = self._worker.work(planner, start, task, since, renderer)
            _check(doing, start, renderer)
        except (Unrenderable, ExpressionError) as error:
            doing.ended.append(self._failure(start, since, "ExpressionError", str(error)))
            return
        if task.compute:
            self._record(doing, start, since, task, work.outputs)
            return
        if self._runs.get(state.run.uid) is not doing:
            return  # The run may have gone while the work was determined.
        live = Live(start.number, reason=work.reason, message=work.message, seen=now, created=since)
        attempt = ActiveAttempt(since, live, renderer.size, active=work.until is None)
        doing.add(start.key, attempt)
        if work.until is not None:
            self._wait(state.run.uid, doing, start, task, attempt, work.until)
            return
        steps = self._do(state.run.uid, doing, start, task, work, attempt)

        def finished(_: "asyncio.Task[None]") -> None:
            steps.close()  # It may not have begun.
            self._finish(state.run.uid, doing, start, attempt)

        attempt.doing = asyncio.create_task(self._host.run(state.run.namespace, steps))
        attempt.doing.add_done_callback(finished)

    def _wait(
        self,
        uid: str,
        doing: Doing,
        start: Start,
        task: Task,
        attempt: ActiveAttempt,
        until: float,
        *,
        first: bool = True,
    ) -> None:
        """Ends a wait that is over, or sets its timer. Ten thousand of a run can wait: none has more than that."""
        if (left := until - self._clock()) > 0 or first:
            # Also one that is over already: the planner is informed of it first.
            again = partial(self._wait, uid, doing, start, task, attempt, until, first=False)
            attempt.timer = asyncio.get_running_loop().call_later(max(0.0, min(left, LONGEST_SLEEP)), again)
            return
        if doing.active.get(start.key) is attempt:
            doing.remove(start.key)
            self._record(doing, start, attempt.since, task, {})
            self._wake(uid)

    def _sense(
        self,
        doing: Doing,
        state: RunState,
        planner: Planner,
        start: Start,
        task: Task,
        since: int,
        now: float,
        renderer: Renderer,
    ) -> None:
        uid = state.run.uid
        listener = _Listener(self, uid, doing, start.key, task.outputs)
        words = self._sensors.begin(uid, planner, start, task, since, renderer, listener)
        try:
            _check(doing, start, renderer)
        except Unrenderable:
            self._sensors.drop(uid, start.key)
            raise
        if self._runs.get(uid) is not doing:
            self._sensors.drop(uid, start.key)
            return
        live = Live(start.number, reason=WAITS, message=words, seen=now, created=since)
        doing.add(start.key, ActiveAttempt(since, live, renderer.size))

    async def _do(self, uid: str, doing: Doing, start: Start, task: Task, work: Work, attempt: ActiveAttempt) -> None:
        limit = asyncio.timeout(seconds(task.timeout) if task.http and task.timeout else None)
        try:
            async with limit:
                outputs = await self._retry(uid, doing, start.key, work)
            self._record(doing, start, attempt.since, task, outputs)
        except WorkFailedError as error:
            doing.ended.append(self._failure(start, attempt.since, error.reason, str(error)))
        except asyncio.CancelledError:
            if attempt.stopped is None:
                raise
            if work.withdraw:
                with contextlib.suppress(ApiError):
                    await work.withdraw()
            doing.ended.append(self._failure(start, attempt.since, *attempt.stopped))
        except Exception as error:
            if limit.expired():
                words = f"took longer than its timeout ({task.timeout}), with the waiting for its turn"
                doing.ended.append(self._failure(start, attempt.since, "DeadlineExceeded", words))
            else:
                log.exception("%s of run %s", start.key, uid, extra=extra(task=start.key))
                words = f"the operator could not do this: {type(error).__name__}: {error}"
                doing.ended.append(self._failure(start, attempt.since, "Error", words))
        self._finish(uid, doing, start, attempt, reported=True)

    def _finish(self, uid: str, doing: Doing, start: Start, attempt: ActiveAttempt, reported: bool = False) -> None:
        """Removes an attempt that is finished. If its end was not `reported`, its task was cancelled before the first step or while it withdrew
        a question; its end is reported all the same."""
        if doing.active.get(start.key) is not attempt or not (reported or attempt.stopped):
            return  # Dropped with its run, or the process ends.
        doing.remove(start.key)
        if attempt.stopped and not reported:
            doing.ended.append(self._failure(start, attempt.since, *attempt.stopped))
        self._wake(uid)

    async def _retry(self, uid: str, doing: Doing, key: str, work: Work) -> dict[str, Any]:
        """Performs the work and returns its outputs. While the API server refuses, the attempt waits and says so."""
        usual = doing.active[key].live

        def now(live: Live) -> None:
            self.say(uid, doing, key, live)

        def report(words: str, reason: str = "") -> None:
            reason = reason or (work.queue if words else "") or usual.reason
            now(replace(usual, reason=reason, message=words or usual.message))

        while True:
            try:
                return await work.begin(report)
            except ApiError as error:
                reason = "NoPermission" if isinstance(error, Forbidden) else "APIUnavailable"
                now(replace(usual, reason=reason, message=error.message))
            await asyncio.sleep(API_RETRY_SECONDS)
            now(usual)

    def say(self, uid: str, doing: Doing, key: str, live: Live) -> None:
        """Notes that an attempt in progress waits for something else."""
        live = replace(live, message=brief(live.message, MESSAGE_LIMIT))
        if doing.active[key].live != live:
            doing.active[key].live = live
            doing.changed.add(key)
            self._wake(uid)

    def end(self, uid: str, doing: Doing, key: str, reason: str, message: str, outputs: dict[str, Any]) -> None:
        """Ends an attempt in progress; an empty reason means success."""
        attempt = doing.remove(key)
        ended = Attempt(key, attempt.live.number, attempt.since, max(attempt.since, int(self._clock())), reason)
        doing.ended.append(Ended(ended, message, outputs))
        self._wake(uid)

    def _record(self, doing: Doing, start: Start, since: int, task: Task, outputs: dict[str, Any]) -> None:
        plain, problem = accepted(task.outputs, outputs)
        if problem:
            doing.ended.append(self._failure(start, since, "OutputInvalid", problem))
        else:
            attempt = Attempt(start.key, start.number, since, max(since, int(self._clock())))
            doing.ended.append(Ended(attempt, "", plain))

    def _failure(self, start: Start, since: int, reason: str, message: str) -> Ended:
        return Ended(Attempt(start.key, start.number, since, max(since, int(self._clock())), reason), message)


@dataclass(frozen=True, slots=True)
class _Listener:
    """Receives reports of the poller about a sensor."""

    podless: Podless
    uid: str
    doing: Doing
    key: str
    declared: Mapping[str, Output]

    def say(self, reason: str, message: str) -> None:
        live = self.doing.active[self.key].live
        self.podless.say(self.uid, self.doing, self.key, replace(live, reason=reason, message=message))

    def end(self, reason: str, message: str, outputs: dict[str, Any]) -> None:
        outputs, problem = accepted(self.declared, outputs) if not reason else ({}, "")
        if problem:
            reason, message = "OutputInvalid", problem
        self.podless.end(self.uid, self.doing, self.key, reason, message, outputs)


def _check(doing: Doing, start: Start, renderer: Renderer) -> None:
    """Raises Unrenderable if the values of an attempt are too much beside those of others."""
    if doing.size + renderer.size > VALUES_LIMIT:
        raise Unrenderable(
            f"spec.tasks.{start.task}: with its rendered values, those of the run's tasks without pods in progress take more than "
            f"{VALUES_LIMIT >> 20} MiB: let fewer run at once (forEach.parallelism), or give the place of what is large"
        )


def _ready(state: RunState, planner: Planner, start: Start) -> int:
    """When (epoch seconds) the last dependency ended, or the run began or was reopened. A wait counts from then, whenever the operator
    first saw it."""
    upstream = planner.definition.graph.upstream[start.task]
    units = [unit.key for name in upstream for unit in planner.ledger.members(name)]
    ends = [state.attempts.ended[key][-1].end for key in units if key in state.attempts.ended]
    return max([int(instant(state.run.began)), *ends])
