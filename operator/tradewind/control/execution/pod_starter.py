"""Chooses the starts of a plan that the run's parallelism and its pools allow, and turns them into pods, as far as the API server accepts."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.execution.start_backoff import StartBackoff
from tradewind.control.pods.launcher import Held, Launched, PodLauncher, Prepared, StartRefused
from tradewind.control.pools.book import PoolBook, User
from tradewind.kube.pod_informer import PodInformer
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.runs.decision import CROWDED, MEMORY, Hold, Plan, Start
from tradewind.plan.runs.planner import Planner

CHUNK = 48
"""Pods created at once. If a quota refuses one of them, the rest is not sent."""
PER_PASS = 4 * CHUNK
"""Pods created in one pass: the run may have been cancelled meanwhile, and its status has to be written."""


@dataclass(frozen=True, slots=True)
class Started:
    """The result of starting attempts."""

    holds: Sequence[Hold] = ()
    """Why other attempts don't start now."""
    made: int = 0
    """Pods that were created."""
    retry_at: Sequence[float] = ()
    """When (monotonic seconds) refused pods are tried again."""
    again: bool = False
    """Whether the next pass follows at once."""
    unsettled: bool = False
    """Whether the budget of one pass was used up."""


NOTHING = Started()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The starts that may be made now."""

    pods: Sequence[Start]
    podless: Sequence[Start]
    waiting: Sequence[Start]
    """Those of tasks without pods that wait for slots."""
    holds: Sequence[Hold]


class PodStarter:
    """Starts attempts. Holds explain those that can't start now."""

    def __init__(self, launcher: PodLauncher, pools: PoolBook, pods: PodInformer) -> None:
        self._launcher, self._pools, self._pods = launcher, pools, pods
        self._backoff: WeakKeyDictionary[RunState, StartBackoff] = WeakKeyDictionary()

    async def start(
        self, state: RunState, planner: Planner, chosen: Chosen, now: float, woken_at: float | None
    ) -> Started:
        """Creates pods. Raises the first error of the API after trying all."""
        backoff, due, holds = self._backoff.setdefault(state, StartBackoff()), chosen.pods, chosen.holds
        if backoff.shut(now):
            return _started(holds, 0, False, backoff)
        more = len(due) >= PER_PASS
        self._give_back(state, due[PER_PASS:])
        due = due[:PER_PASS]
        if not due:
            backoff.full(None, now)  # A quota no longer holds anything up.
        errors: list[BaseException] = []
        at = made = 0
        while at < len(due):
            # After a quota was used up, a single pod shows whether it has room again.
            chunk = self._prepare(due[at : at + (1 if backoff.cautious else CHUNK)], planner)
            answers = await asyncio.gather(*(self._launch(pod, woken_at) for pod in chunk), return_exceptions=True)
            full = None
            for start, answer in zip(due[at : at + len(chunk)], answers, strict=True):
                match answer:
                    case Launched(pod, found):
                        (self._pods.claim if found else self._pods.put)(pod)
                        self._pools.settle(state.run.uid, start.key)
                        made += 1
                        continue
                    case StartRefused(end):
                        state.finish(end, now)
                    case Held(hold) if hold.reason == "QuotaExceeded":
                        full = hold
                    case Held(hold):
                        backoff.block(hold, now)
                    case _:
                        errors.append(answer)
                        if start.pools:
                            self._pools.mark_unsure(state.run.uid, start.key)
                        continue
                self._pools.give_back(state.run.uid, start.key)
            backoff.full(full, now)
            at += len(chunk)
            if full or (pacing.spent() and at < len(due)):
                more = more or not full
                self._give_back(state, due[at:])
                break
        if errors:
            raise errors[0]
        return _started(holds, made, more, backoff)

    def _prepare(self, starts: Sequence[Start], planner: Planner) -> list[Prepared | StartRefused]:
        """Renders the pods of as many starts, from the first, as the budget allows, but at least one."""
        found: list[Prepared | StartRefused] = []
        for start in pacing.each(starts):
            found.append(self._launcher.prepare(start, planner))
            if pacing.spent():
                break
        return found

    async def _launch(self, pod: Prepared | StartRefused, woken_at: float | None) -> Launched | StartRefused | Held:
        return pod if isinstance(pod, StartRefused) else await self._launcher.launch(pod, woken_at)

    def choose(self, state: RunState, planner: Planner, plan: Plan, now: float, active: Collection[str] = ()) -> Chosen:
        """The starts that the run's parallelism and its pools allow now. `active` tasks and items have no pods, and keep their slots."""
        run, backoff = state.run, self._backoff.setdefault(state, StartBackoff())
        outlived = dict(state.pods.outlived)
        shut = backoff.shut(now)
        starts = (
            [] if shut else [start for start in plan.starts if start.key not in backoff and start.key not in outlived]
        )
        own = [start for start in plan.podless if start.pools]
        calls = [start for start in own if planner.definition.tasks[start.task].dag]
        called = {start.key for start in calls}
        room = len(starts) + len(calls) if plan.room is None else plan.room
        roomy = sorted([*starts, *calls], key=_order)[:room] if calls else starts[:room]
        sensors = [start for start in own if start.key not in called]
        claiming = sorted([*(start for start in roomy if start.pools), *sensors], key=_order)
        unknown = [start.key for start in plan.starts] if shut else ()
        granted = self._pools.ask(_user(run), claiming, plan.wanting, now, {*active, *unknown})
        for start in own:
            if start.key in granted:
                self._pools.keep(run.uid, start.key)
        # Starts that wait for a pool leave their places to those that need none.
        taken = sum(start.key in granted for start in roomy)
        plain = [start for start in starts if not start.pools][: room - taken]
        made = [start for start in roomy if start.pools and start.key in granted and start.key not in called]
        holds: dict[object, Hold] = {}
        caller = (run.caller.uid, run.caller.task) if run.caller else ("", "")
        for start in claiming:
            if start.key not in granted and start.pools not in holds:
                reason, words = self._pools.why(start.pools, run.namespace, caller)
                others = plan.wanting.get(start.pools, 0) - sum(item.key in granted for item in claiming)
                more = f"; {others} tasks of this run wait" if others > 1 else ""
                holds[start.pools] = Hold(start.key, reason, f"{words}{more}")
        for key in () if shut else (start.key for start in plan.starts if start.key in outlived):
            words = (
                f"attempt {outlived[key]} still runs although a later one has ended: the next one starts after its end"
            )
            holds[key] = Hold(key, "EarlierAttemptRuns", words)
        podless = [start for start in plan.podless if not start.pools or start.key in granted]
        waiting = [start for start in sensors if start.key not in granted]
        return Chosen([*made, *plain], podless, waiting, list(holds.values()))

    def _give_back(self, state: RunState, starts: Sequence[Start]) -> None:
        for start in starts:
            if start.pools:
                self._pools.give_back(state.run.uid, start.key)


def _order(start: Start) -> tuple[int, int, int]:
    return start.order


def _user(run: Run) -> User:
    return User(run.namespace, run.name, run.uid, "")


def _started(holds: Sequence[Hold], made: int, more: bool, backoff: StartBackoff) -> Started:
    blocked = list(backoff.all())
    return Started([*holds, *(block.hold for block in blocked)], made, [block.until for block in blocked], more)


def hold_back(plan: Plan, tasks: Mapping[str, Task], crowded: bool) -> tuple[Plan, list[Hold]]:
    """The plan without work of the operator's own if memory is `crowded`, and why that waits. Computations end at once."""
    if not crowded or not plan.podless:
        return plan, []
    held = [start for start in pacing.each(plan.podless) if not tasks[start.task].compute]
    kept = [start for start in pacing.each(plan.podless) if tasks[start.task].compute]
    return replace(plan, podless=kept), [Hold(held[0].key, MEMORY, CROWDED)] if held else []
