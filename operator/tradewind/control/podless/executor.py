"""Attempts without a pod, done by the operator itself.

What is under way lives in this process only. After a restart it begins anew, under the same number: a wait and an approval go on as
though nothing had happened, since their beginning is known; a request may be sent again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tradewind.control.dagrun.state import RunState
from tradewind.control.evaluation.host import Host
from tradewind.control.podless.work import Work, Worker, WorkFailedError
from tradewind.control.pods.observation import Ended
from tradewind.control.pods.rendering import Unrenderable
from tradewind.control.sensors.sensor_tasks import WAITS, SensorTasks
from tradewind.kube.errors import ApiError, Forbidden
from tradewind.kube.log_fields import extra
from tradewind.model.duration import instant, seconds
from tradewind.model.task import Task
from tradewind.model.value import Output
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.typed_values import accepted
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Live, Plan, Start
from tradewind.plan.runs.planner import Planner

log = logging.getLogger(__name__)
API_RETRY_SECONDS = 5.0
"""Seconds between two tries when the API server does not let us."""


@dataclass(slots=True)
class UnderWay:
    """An attempt that has begun. `since` is epoch seconds; `live` is what the planner is told."""

    since: int
    live: Live
    doing: "asyncio.Task[None] | None" = None
    """None for a sensor: the poller has it."""
    stopped: tuple[str, str] | None = None


@dataclass(slots=True)
class Doing:
    """What is under way for a run, by task or item, and what has ended since the last pass."""

    under_way: dict[str, UnderWay] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    """Tasks and items of which the planner is to be told something new."""
    told: Planner | None = None
    """The planner that was told: one that is made anew is told everything."""


class Podless:
    """Does tasks without pods. `wake(run uid)` is called when one has ended."""

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
        """Tells the planner what is under way, and what has ended since."""
        doing = self._runs.get(state.run.uid)
        if doing is None:
            return
        ended, doing.ended = doing.ended, []
        for end in ended:
            state.finish(end, now)
        if doing.told is not planner:
            doing.told, doing.changed = planner, set(doing.under_way)
        for key in doing.changed:
            attempt = doing.under_way.get(key)
            if attempt is None:
                continue
            if (told := state.attempts.ended.get(key)) and told[-1].number >= attempt.live.number:
                # Another operator has seen it end, or somebody wrote so. What the status says holds: nobody waits for it any more.
                self._drop(state.run.uid, key, doing.under_way.pop(key))
                if planner.live(key):
                    planner.tell_live(key, None)
            else:
                planner.tell_live(key, attempt.live)
        doing.changed.clear()

    def start(self, state: RunState, planner: Planner, plan: Plan, now: float) -> bool:
        """Begins what is to start, and ends what is to stop. Whether there is something to look at right away."""
        if not plan.podless and state.run.uid not in self._runs:
            return False
        doing = self._runs.setdefault(state.run.uid, Doing())
        for stop in plan.stops:
            attempt = doing.under_way.get(stop.task)
            if attempt is None or attempt.live.number != stop.number or attempt.stopped:
                continue  # One that was stopped may still withdraw what it asked: a second stop would end that, and it would never end.
            attempt.stopped = (stop.reason, stop.why)
            if attempt.doing:
                attempt.doing.cancel()
            else:
                self._sensors.drop(state.run.uid, stop.task)
                _Listener(self, state.run.uid, doing, stop.task, {}).end(stop.reason, stop.why, {})
        for start in pacing.each(plan.podless):
            if pacing.spent() or self._runs.get(state.run.uid) is not doing:
                break  # The next pass goes on, unless the run is gone.
            if start.key not in doing.under_way:
                self._begin(doing, state, planner, start, now)
        return bool(plan.podless)

    def forget(self, uid: str) -> None:
        """A run has ended, or is no longer ours."""
        doing = self._runs.pop(uid, None)
        for key, attempt in doing.under_way.items() if doing else ():
            self._drop(uid, key, attempt)

    def _drop(self, uid: str, key: str, attempt: UnderWay) -> None:
        """Stops an attempt of whose end nothing is to be said."""
        if attempt.doing:
            attempt.doing.cancel()
        else:
            self._sensors.drop(uid, key)

    async def close(self) -> None:
        """Ends everything."""
        for uid in list(self._runs):
            self.forget(uid)
        await self._worker.close()

    def _begin(self, doing: Doing, state: RunState, planner: Planner, start: Start, now: float) -> None:
        task = planner.definition.tasks[start.task]
        since = int(self._clock())
        if (task.wait or task.sensor) and start.number == 1:
            since = min(since, _ready(state, planner, start))
        try:
            if task.sensor:
                self._sense(doing, state, planner, start, task, since, now)
                return
            work = self._worker.work(planner, start, task, since)
        except (Unrenderable, ExpressionError) as error:
            doing.ended.append(self._failure(start, since, "ExpressionError", str(error)))
            return
        if task.compute:
            self._done(doing, start, since, task, work.outputs)
            return
        if self._runs.get(state.run.uid) is not doing:
            return  # Working out what to do can take a while.
        live = Live(start.number, reason=work.reason, message=work.message, seen=now, created=since)
        attempt = doing.under_way[start.key] = UnderWay(since, live)
        doing.changed.add(start.key)
        steps = self._do(state.run.uid, doing, start, task, work, attempt)

        def over(_: "asyncio.Task[None]") -> None:
            steps.close()  # It may never have begun.
            self._over(state.run.uid, doing, start, attempt)

        attempt.doing = asyncio.create_task(self._host.run(state.run.namespace, steps))
        attempt.doing.add_done_callback(over)

    def _sense(
        self, doing: Doing, state: RunState, planner: Planner, start: Start, task: Task, since: int, now: float
    ) -> None:
        uid = state.run.uid
        words = self._sensors.begin(
            uid, planner, start, task, since, _Listener(self, uid, doing, start.key, task.outputs)
        )
        if self._runs.get(uid) is not doing:
            self._sensors.drop(uid, start.key)
            return
        doing.under_way[start.key] = UnderWay(
            since, Live(start.number, reason=WAITS, message=words, seen=now, created=since)
        )
        doing.changed.add(start.key)

    async def _do(self, uid: str, doing: Doing, start: Start, task: Task, work: Work, attempt: UnderWay) -> None:
        limit = asyncio.timeout(seconds(task.timeout) if task.http and task.timeout else None)
        try:
            async with limit:
                outputs = await self._patiently(uid, doing, start.key, work)
            self._done(doing, start, attempt.since, task, outputs)
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
        self._over(uid, doing, start, attempt, told=True)

    def _over(self, uid: str, doing: Doing, start: Start, attempt: UnderWay, told: bool = False) -> None:
        """Nothing goes on for an attempt any more. Where that was not `told`, its task was cancelled before its first step, or while it
        withdrew: the run must end all the same."""
        if doing.under_way.get(start.key) is not attempt or not (told or attempt.stopped):
            return  # Dropped with its run, or the process ends.
        del doing.under_way[start.key]
        if attempt.stopped and not told:
            doing.ended.append(self._failure(start, attempt.since, *attempt.stopped))
        self._wake(uid)

    async def _patiently(self, uid: str, doing: Doing, key: str, work: Work) -> dict[str, Any]:
        """The outputs. As long as the API server does not let us, the attempt waits and says so."""
        usual = doing.under_way[key].live

        def now(live: Live) -> None:
            self.say(uid, doing, key, live)

        def told(words: str, reason: str = "") -> None:
            reason = reason or (work.queue if words else "") or usual.reason
            now(replace(usual, reason=reason, message=words or usual.message))

        while True:
            try:
                return await work.begin(told)
            except ApiError as error:
                reason = "NoPermission" if isinstance(error, Forbidden) else "APIUnavailable"
                now(replace(usual, reason=reason, message=error.message))
            await asyncio.sleep(API_RETRY_SECONDS)
            now(usual)

    def say(self, uid: str, doing: Doing, key: str, live: Live) -> None:
        """What an attempt under way waits for has changed."""
        if doing.under_way[key].live != live:
            doing.under_way[key].live = live
            doing.changed.add(key)
            self._wake(uid)

    def end(self, uid: str, doing: Doing, key: str, reason: str, message: str, outputs: dict[str, Any]) -> None:
        """An attempt under way has ended; an empty reason means success."""
        attempt = doing.under_way.pop(key)
        ended = Attempt(key, attempt.live.number, attempt.since, max(attempt.since, int(self._clock())), reason)
        doing.ended.append(Ended(ended, message, outputs))
        self._wake(uid)

    def _done(self, doing: Doing, start: Start, since: int, task: Task, outputs: dict[str, Any]) -> None:
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
    """Is told by the poller of a sensor."""

    podless: Podless
    uid: str
    doing: Doing
    key: str
    declared: Mapping[str, Output]

    def say(self, reason: str, message: str) -> None:
        live = self.doing.under_way[self.key].live
        self.podless.say(self.uid, self.doing, self.key, replace(live, reason=reason, message=message))

    def end(self, reason: str, message: str, outputs: dict[str, Any]) -> None:
        outputs, problem = accepted(self.declared, outputs) if not reason else ({}, "")
        if problem:
            reason, message = "OutputInvalid", problem
        self.podless.end(self.uid, self.doing, self.key, reason, message, outputs)


def _ready(state: RunState, planner: Planner, start: Start) -> int:
    """When (epoch seconds) the last dependency ended, or the run began (again): a wait counts from there, whenever we first saw it."""
    upstream = planner.definition.graph.upstream[start.task]
    units = [unit.key for name in upstream for unit in planner.ledger.members(name)]
    ends = [state.attempts.ended[key][-1].end for key in units if key in state.attempts.ended]
    return max([int(instant(state.run.began)), *ends])
