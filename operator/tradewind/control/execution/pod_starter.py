"""From a plan's starts to pods: within the run's parallelism, its pools and what the API server takes."""

import asyncio
from collections.abc import Sequence

from tradewind.control.dagrun.state import Blocked, View
from tradewind.control.pods.launcher import Held, Launched, PodLauncher, Prepared, StartRefused
from tradewind.control.pools.book import PoolBook, User
from tradewind.kube.pod_informer import PodInformer
from tradewind.plan import pacing
from tradewind.plan.runs.decision import Hold, Plan, Start
from tradewind.plan.runs.planner import Planner

RETRY_BLOCKED = 5.0
"""Seconds after which a pod that the API server would not take is tried again."""
CHUNK = 48
"""Pods created at once; a quota that refuses one of them spares the server the rest."""
PER_PASS = 4 * CHUNK
"""Pods created before the run is looked at again: it may have been cancelled, and its status has to be written."""


class PodStarter:
    """Starts attempts. What can't start now is told as holds."""

    def __init__(self, launcher: PodLauncher, pools: PoolBook, pods: PodInformer) -> None:
        self._launcher, self._pools, self._pods = launcher, pools, pods

    async def start(
        self, view: View, planner: Planner, plan: Plan, now: float, woken_at: float | None
    ) -> tuple[list[Hold], int, bool]:
        """Creates pods; how many, beside the holds, and whether the next pass goes on with more. Raises what the API raised for some of
        them, after trying all."""
        view.blocked = {key: block for key, block in view.blocked.items() if block.until > now}
        if view.quota and view.quota.until > now:
            self._pools.wants_none(view.run.uid)
            return [view.quota.hold, *(block.hold for block in view.blocked.values())], 0, False
        due, holds = self._chosen(view, plan, now)
        more = len(due) >= PER_PASS
        self._give_back(view, due[PER_PASS:])
        due = due[:PER_PASS]
        if not due:
            view.quota = None  # It holds nothing up any more.
        errors: list[BaseException] = []
        at = made = 0
        while at < len(due):
            # After a quota was used up, one pod shows whether it has room again.
            chunk = self._prepared(due[at : at + (1 if view.quota else CHUNK)], planner)
            answers = await asyncio.gather(*(self._launch(pod, woken_at) for pod in chunk), return_exceptions=True)
            full = None
            for start, answer in zip(due[at : at + len(chunk)], answers, strict=True):
                match answer:
                    case Launched(pod, found):
                        (self._pods.claim if found else self._pods.put)(pod)
                        self._pools.settled(view.run.uid, start.key)
                        made += 1
                        continue
                    case StartRefused(end):
                        view.finish(end, now)
                    case Held(hold) if hold.reason == "QuotaExceeded":
                        full = Blocked(now + RETRY_BLOCKED, hold)
                    case Held(hold):
                        view.blocked[start.key] = Blocked(now + RETRY_BLOCKED, hold)
                    case _:
                        errors.append(answer)
                        if start.pools:
                            self._pools.unsure(view.run.uid, start.key)
                        continue
                self._pools.give_back(view.run.uid, start.key)
            view.quota = full
            at += len(chunk)
            if full or (pacing.spent() and at < len(due)):
                more = more or not full
                self._give_back(view, due[at:])
                break
        if errors:
            raise errors[0]
        if view.quota:
            holds.append(view.quota.hold)
        return [*holds, *(block.hold for block in view.blocked.values())], made, more

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

    def _chosen(self, view: View, plan: Plan, now: float) -> tuple[list[Start], list[Hold]]:
        """The starts that the run's parallelism and its pools allow now."""
        outlived = dict(view.outlived)
        starts = [start for start in plan.starts if start.key not in view.blocked and start.key not in outlived]
        room = len(starts) if plan.room is None else plan.room
        claiming = [start for start in starts[:room] if start.pools]
        run = view.run
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

    def _give_back(self, view: View, starts: Sequence[Start]) -> None:
        for start in starts:
            if start.pools:
                self._pools.give_back(view.run.uid, start.key)
