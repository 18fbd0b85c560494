"""From a plan's starts to pods: within the run's parallelism, its pools and what the API server takes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tradewind.control.dagrun.state import RunState
from tradewind.control.execution.start_backoff import StartBackoff
from tradewind.control.pods.launcher import Held, Launched, PodLauncher, Prepared, StartRefused
from tradewind.control.pools.book import PoolBook, User
from tradewind.kube.pod_informer import PodInformer
from tradewind.plan import pacing
from tradewind.plan.runs.decision import Hold, Plan, Start
from tradewind.plan.runs.planner import Planner

CHUNK = 48
"""Pods created at once; a quota that refuses one of them spares the server the rest."""
PER_PASS = 4 * CHUNK
"""Pods created before the run is looked at again: it may have been cancelled, and its status has to be written."""


@dataclass(frozen=True, slots=True)
class Started:
    """What came of a plan's starts."""

    holds: Sequence[Hold] = ()
    """Why others don't start now."""
    made: int = 0
    """Pods that were created."""
    retry_at: Sequence[float] = ()
    """When (monotonic seconds) what the API server would not take is tried again."""
    again: bool = False
    """Whether the next pass goes on at once."""
    unsettled: bool = False
    """Whether the time of one pass was used up."""


NOTHING = Started()


class PodStarter:
    """Starts attempts. What can't start now is told as holds."""

    def __init__(self, launcher: PodLauncher, pools: PoolBook, pods: PodInformer) -> None:
        self._launcher, self._pools, self._pods = launcher, pools, pods
        self._backoff: WeakKeyDictionary[RunState, StartBackoff] = WeakKeyDictionary()

    async def start(self, state: RunState, planner: Planner, plan: Plan, now: float, woken_at: float | None) -> Started:
        """Creates pods. Raises what the API raised for some of them, after trying all."""
        backoff = self._backoff.setdefault(state, StartBackoff())
        if backoff.shut(now):
            self._pools.want_none(state.run.uid)
            return _started([], 0, False, backoff)
        due, holds = self._chosen(state, plan, backoff, now)
        more = len(due) >= PER_PASS
        self._give_back(state, due[PER_PASS:])
        due = due[:PER_PASS]
        if not due:
            backoff.full(None, now)  # It holds nothing up any more.
        errors: list[BaseException] = []
        at = made = 0
        while at < len(due):
            # After a quota was used up, one pod shows whether it has room again.
            chunk = self._prepared(due[at : at + (1 if backoff.cautious else CHUNK)], planner)
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

    def _prepared(self, starts: Sequence[Start], planner: Planner) -> list[Prepared | StartRefused]:
        """The pods of the first starts: of all, or of as many as there is time for, and of one at least."""
        found: list[Prepared | StartRefused] = []
        for start in pacing.each(starts):
            found.append(self._launcher.prepare(start, planner))
            if pacing.spent():
                break
        return found

    async def _launch(self, pod: Prepared | StartRefused, woken_at: float | None) -> Launched | StartRefused | Held:
        return pod if isinstance(pod, StartRefused) else await self._launcher.launch(pod, woken_at)

    def _chosen(self, state: RunState, plan: Plan, backoff: StartBackoff, now: float) -> tuple[list[Start], list[Hold]]:
        """The starts that the run's parallelism and its pools allow now."""
        outlived = dict(state.pods.outlived)
        starts = [start for start in plan.starts if start.key not in backoff and start.key not in outlived]
        room = len(starts) if plan.room is None else plan.room
        claiming = [start for start in starts[:room] if start.pools]
        run = state.run
        if claiming:
            granted = self._pools.ask(User(run.namespace, run.name, run.uid, ""), claiming, plan.wanting, now)
        else:
            granted = set()
            self._pools.forget(run.uid)
        # What waits in a pool leaves its place to those that need none.
        plain = [start for start in starts if not start.pools][: room - len(granted)]
        chosen = [start for start in claiming if start.key in granted] + plain
        holds: dict[object, Hold] = {}
        for start in claiming:
            if start.key not in granted and start.pools not in holds:
                reason, words = self._pools.why(start.pools, run.namespace)
                others = plan.wanting.get(start.pools, 0) - sum(item.key in granted for item in claiming)
                more = f"; {others} tasks of this run wait" if others > 1 else ""
                holds[start.pools] = Hold(start.key, reason, f"{words}{more}")
        for key in (start.key for start in plan.starts if start.key in outlived):
            words = (
                f"attempt {outlived[key]} still runs although a later one has ended: the next one starts after its end"
            )
            holds[key] = Hold(key, "EarlierAttemptRuns", words)
        return chosen, list(holds.values())

    def _give_back(self, state: RunState, starts: Sequence[Start]) -> None:
        for start in starts:
            if start.pools:
                self._pools.give_back(state.run.uid, start.key)


def _started(holds: Sequence[Hold], made: int, more: bool, backoff: StartBackoff) -> Started:
    blocked = list(backoff.all())
    return Started([*holds, *(block.hold for block in blocked)], made, [block.until for block in blocked], more)
