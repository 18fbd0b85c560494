"""Checks have a time limit: a document that takes longer is abandoned, with a message."""

from collections.abc import Coroutine
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.manager.engine import Engine
from tradewind.kube.resources import DAGS, RUNS, TEMPLATES, Resource

from control.triggerworld import Server

TASK = {"image": "x", "env": {"X": "$[[ 'a' + params.p ]]"}}
DAG = {"params": {"p": {"type": "string", "default": "b"}}, "tasks": {"a": TASK}}
WORDS = "spec: takes too long to check; use fewer and shorter expressions, and compute in tasks"


class Api(Server):
    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        raise AssertionError("nothing is recorded of what is not valid")

    async def replace(self, resource: Resource, namespace: str, name: str, body: Any, subresource: str = "") -> Any:
        return self.put(resource, {**self.objects[resource.plural, name], "status": body["status"]})


class Hurried:
    """An operator in which no check ends."""

    def __init__(self) -> None:
        self.api, self.host = Api(0.0), Host(Evaluator(), budget=-1.0)
        self.engine = Engine(self.api, (), "x", "me", host=self.host)

    async def does(self, work: Coroutine[Any, Any, None]) -> None:
        await self.host.run("ns", work)

    def told(self, resource: Resource, name: str) -> str:
        ready = {item["type"]: item for item in self.api.objects[resource.plural, name]["status"]["conditions"]}[
            "Ready"
        ]
        return str(ready["message"])


@pytest.mark.parametrize("spec", [DAG, {"tasks": {"a": {"template": {"name": "t"}}}}], ids=["dag", "with a template"])
async def test_a_dag_that_takes_too_long_to_check_is_invalid(spec: Any) -> None:
    operator = Hurried()
    operator.api.put(TEMPLATES["TaskTemplate"], {"metadata": {"name": "t"}, "spec": {"task": {"image": "x"}}})
    operator.engine.dags.seen(operator.api.put(DAGS, {"metadata": {"name": "d"}, "spec": spec}), False)
    await operator.does(operator.engine.dags.reconcile(("ns", "d")))
    assert operator.told(DAGS, "d") == WORDS


async def test_so_is_a_template() -> None:
    operator = Hurried()
    body = {"metadata": {"name": "t"}, "spec": {"task": {"image": "x", "env": {"X": "$[[ 1 + 2 ]]"}}}}
    operator.api.put(TEMPLATES["TaskTemplate"], body)
    await operator.does(operator.engine.template_status.reconcile(("TaskTemplate", "ns", "t")))
    assert operator.told(TEMPLATES["TaskTemplate"], "t") == WORDS


async def test_a_run_of_such_a_dag_fails() -> None:
    operator = Hurried()
    operator.api.put(DAGS, {"metadata": {"name": "d"}, "spec": DAG})
    run = read_run(operator.api.put(RUNS, {"metadata": {"name": "r"}, "spec": {"dag": "d"}}))
    operator.engine.runs.feed.seen(run, False)
    await operator.does(operator.engine.runs.reconcile(run.uid))
    assert operator.told(RUNS, "r") == f"DAG d is invalid: {WORDS}"
