"""What the attempts of a run without pods keep in memory is bounded together: ten thousand can wait at once."""

from typing import Any

import pytest
from plan.game import defined
from tradewind.control.dagrun.state import RunState
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.podless.executor import Podless
from tradewind.control.podless.work import Worker
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.control.sensors.sensor_tasks import SensorTasks

from control.podless.test_stopped_attempts import run

NOBODY: Any = None
BODY = {"url": "http://x", "method": "POST", "body": "$[[ params.big ]]" * 4}


@pytest.mark.parametrize("task", [{"http": BODY}, {"sensor": {"http": BODY}}], ids=["http", "sensor"])
async def test_requests_that_wait_take_so_much_together(task: Any) -> None:
    host = Host(Evaluator())
    sensors = SensorTasks(NOBODY, NOBODY, EgressPolicy(), host, NOBODY)
    podless = Podless(Worker(NOBODY, NOBODY, NOBODY, NOBODY), sensors, lambda uid: None, host)
    state = RunState(run(params={"big": "x" * 200_000}))
    tasks = {"t": {**task, "forEach": {"range": {"stop": 60}}}}
    planner = state.bind(defined(tasks, params={"big": {"default": ""}}), (), 0.0, 0.0)
    podless.start(state, planner, planner.decide(0.0), 0.0)
    podless.tell(state, planner, 0.0)
    active = podless.active("u")
    assert 0 < len(active) < 60
    failed = state.attempts.news["t[59]", 1]
    assert failed.attempt.reason == "ExpressionError"
    assert "take more than 32 MiB: let fewer run at once (forEach.parallelism)" in failed.message
    podless.forget("u")


def test_trees_and_texts_of_an_attempt_share_their_room() -> None:
    """The params of a call, and a podTemplate, are no smaller than the variables of a pod."""
    renderer = Renderer("a", lambda _: "x" * 100_000)
    renderer.plain("env.A", "$[[ v ]]")
    with pytest.raises(
        Unrenderable, match=r"spec\.tasks\.a\.dag\.params\.x: .*with it, the task's rendered values take"
    ):
        renderer.tree("dag.params.x", ["$[[ v ]]"] * 10)
