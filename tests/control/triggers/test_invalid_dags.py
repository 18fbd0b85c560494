"""A trigger or a backfill whose DAG is invalid is not ready, says why, and becomes ready when the DAG is fixed."""

from typing import Any

import pytest
from tradewind.control.backfills.reconciler import BackfillReconciler
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS

from control.triggerworld import Body, Operator, Server, server

WORDS = "spec.tasks.a.dependsOn: tasks depend on each other in a cycle: a -> b -> a"


def dag(phase: str, seen: int = 1) -> Body:
    conditions = [{"type": "Valid", "status": str(phase == "Valid"), "message": WORDS if phase == "Invalid" else ""}]
    return {
        "metadata": {"name": "d", "generation": 1},
        "spec": {"tasks": {}},
        "status": {"phase": phase, "observedGeneration": seen, "conditions": conditions},
    }


def ready(body: Body) -> tuple[str, str, str]:
    found = next(item for item in body["status"]["conditions"] if item["type"] == "Ready")
    return found["status"], found["reason"], found["message"]


async def test_a_trigger() -> None:
    here = server(1e9, "t", cron="0 0 * * *")
    operator = Operator(here)

    async def told(body: Body) -> Any:
        operator.triggers.dags.seen(here.put(DAGS, body), False)
        await operator.look("t")
        await operator.save("t")
        return ready(here.objects[TRIGGERS.plural, "t"])

    wrong = ("False", "DAGInvalid", f"its runs can't begin: DAG d is not valid: {WORDS}")
    assert await told(dag("Invalid")) == wrong
    assert await told(dag("Valid")) == ("True", "Active", "")
    assert await told(dag("Invalid", seen=0)) == ("True", "Active", "")  # it is about an older spec


async def test_a_trigger_that_asks_for_its_dag() -> None:
    """The operator has just started, and the watch has not reached the DAG."""
    here = server(1e9, "t", cron="0 0 * * *")
    here.put(DAGS, dag("Invalid"))
    operator = Operator(here)
    await operator.look("t")
    await operator.save("t")
    assert ready(here.objects[TRIGGERS.plural, "t"])[1] == "DAGInvalid"


@pytest.mark.parametrize(("state", "reason"), [("Running", "DAGInvalid"), ("Cancelled", "Cancelled")])
async def test_a_backfill(state: str, reason: str) -> None:
    here: Server = server(1e9, "t", cron="0 0 * * *")
    here.put(DAGS, dag("Invalid"))
    spec = {"dag": "d", "ticks": ["2001-01-01T00:00:00Z"], "desiredState": state}
    body = here.put(BACKFILLS, {"metadata": {"name": "b"}, "spec": spec})
    clock = lambda: here.now  # noqa: E731
    nobody = lambda *_: None  # noqa: E731
    operator = BackfillReconciler(here, EventRecorder(here, clock), DAGIndex(here, nobody), nobody, nobody, clock)
    operator.seen(body, False)
    await operator.reconcile(("ns", "b"))
    assert ready(here.objects[BACKFILLS.plural, "b"])[1] == reason
    assert not [name for plural, name in here.objects if plural == RUNS.plural]
