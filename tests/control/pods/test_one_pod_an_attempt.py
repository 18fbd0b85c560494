"""A running pod is never doubled, even if the status says that its attempt, or a later one, has ended: someone set it
back."""

from typing import Any, cast

import msgspec
import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.execution.pod_starter import PodStarter
from tradewind.control.pods.launcher import Launched, PodLauncher, Prepared
from tradewind.control.pools.book import PoolBook
from tradewind.kube.labels import ATTEMPT
from tradewind.kube.pod import Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner

from control.pod_bodies import pod, terminated

DAG = define({"tasks": {"a": {"image": "x", "retries": {"limit": 5, "backoff": {"initial": "0s"}}}}})
RUNS: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:10Z"}}


def attempt(number: int, **state: Any) -> Pod:
    made = pod({"phase": "Running"}, **state)
    labels = {**made.metadata.labels, ATTEMPT: str(number)}
    names = {"name": f"r-a-{number}", "uid": f"pod-{number}"}
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, labels=labels, **names))


class Made(PodLauncher):
    """Records launches."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def prepare(self, start: Start, planner: Planner) -> Prepared:
        return Prepared(start, planner.ledger.run, "", b"")

    async def launch(self, pod: Prepared, woken_at: float | None) -> Launched:
        self.numbers.append(pod.start.number)
        return Launched(attempt(pod.start.number, **RUNS))


class World:
    """A run, its pods, and its starts."""

    def __init__(self, attempts: str = "") -> None:
        meta = {
            "name": "r",
            "namespace": "ns",
            "uid": "run-uid",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        status = {"phase": "Running", "attempts": attempts}
        self.state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": status}))
        self.pods = PodInformer(cast(Any, None), [None], lambda _: None, lambda _: True)
        self.launcher = Made()
        self.starter = PodStarter(self.launcher, PoolBook(lambda _: None, lambda _: None), self.pods)

    async def sees(self, *pods: Pod) -> tuple[list[int], list[str]]:
        """The attempts that start now, and the reasons of holds."""
        known = {pod.metadata.name: pod for pod in pods}
        planner = self.state.bind(DAG, known, 0.0, 0.0)
        self.state.pods.note(*known)
        self.state.absorb(known, 0.0)
        self.launcher.numbers = []
        chosen = self.starter.choose(self.state, planner, planner.decide(0.0), 0.0)
        started = await self.starter.start(self.state, planner, chosen, 0.0, None)
        return self.launcher.numbers, [hold.reason for hold in started.holds]


async def test_the_next_attempt_waits_for_an_earlier_one_that_still_runs() -> None:
    world = World()
    second = attempt(2, terminated=terminated(1))
    assert await world.sees(second, attempt(1, **RUNS)) == ([], ["EarlierAttemptRuns"])
    assert await world.sees(attempt(1, terminated=terminated(1))) == ([3], [])


async def test_a_pod_that_runs_although_its_attempt_is_recorded_is_waited_for() -> None:
    world = World("a 0+1 =1 PodDeleted")
    assert await world.sees(attempt(1, **RUNS)) == ([], ["EarlierAttemptRuns"])
    assert await world.sees(attempt(1, terminated=terminated(1))) == ([2], [])


@pytest.mark.parametrize("later_first", [True, False])
async def test_one_that_runs_beside_it_is_still_known(later_first: bool) -> None:
    """An operator that starts late sees both."""
    world = World("a 0+1 =1 PodDeleted")
    pods = [attempt(2, **RUNS), attempt(1, **RUNS)]
    assert await world.sees(*(pods if later_first else reversed(pods))) == ([], []), "nothing is to start"
    assert await world.sees(attempt(1, terminated=terminated(1)), pods[0]) == ([], []), "the second is alive"
    assert await world.sees(attempt(2, terminated=terminated(1))) == ([3], [])
