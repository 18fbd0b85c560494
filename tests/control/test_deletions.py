"""An object that a finalizer keeps after its deletion starts nothing any more: triggers and backfills make no runs, and no
runs of a DAG begin."""

import copy
from typing import Any

import pytest
from tradewind.control.backfills.reconciler import BackfillReconciler
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS, Resource

from control.runworld import Operated
from control.triggerworld import Body, Operator, Server, server

NOW = 1_800_000_000.0
MINUTE = 60.0


def delete(here: Server, resource: Resource, name: str) -> Body:
    """Someone deletes an object that has a finalizer. Returns it as the watch reports it."""
    body = copy.deepcopy(here.objects[resource.plural, name])
    body["metadata"] |= {"deletionTimestamp": "2027-01-15T08:00:00Z", "generation": body["metadata"]["generation"] + 1}
    return copy.deepcopy(here.put(resource, body))


def ready(body: Body) -> tuple[str, str, str]:
    found = next(item for item in body["status"]["conditions"] if item["type"] == "Ready")
    return found["status"], found["reason"], found["message"]


async def test_a_trigger_makes_no_more_runs() -> None:
    here = server(NOW, "t", every="60s")
    operator = Operator(here)
    await operator.look("t")
    here.now += MINUTE
    await operator.look("t")
    made = list(here.log)
    assert made
    operator.triggers.seen(delete(here, TRIGGERS, "t"), False)
    here.now += MINUTE
    await operator.look("t")
    await operator.save("t")
    assert here.log == made
    stored = here.objects[TRIGGERS.plural, "t"]
    assert ready(stored)[1:] == ("Deleting", "it is being deleted, and makes no more runs")
    restarted = Operator(here)
    here.now += MINUTE
    await restarted.look("t")
    assert here.log == made


async def test_a_trigger_that_is_deleted_between_two_of_its_runs_makes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    here = server(NOW, "t", every="60s", missed={"policy": "All"})
    operator = Operator(here)
    await operator.look("t")
    here.now += 10 * MINUTE
    create = here.create

    async def deleting(resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        answer = await create(resource, namespace, body, **query)
        if resource is RUNS and len(here.log) == 2:
            operator.triggers.seen(delete(here, TRIGGERS, "t"), False)
        return answer

    monkeypatch.setattr(here, "create", deleting)
    for _ in range(3):
        await operator.look("t")
    assert len(here.log) == 2


@pytest.mark.parametrize("ours", [True, False])
def test_a_trigger_keeps_no_runs_that_it_will_not_process(ours: bool) -> None:
    here = server(NOW, "t", every="60s")
    body = here.put(TRIGGERS, {"metadata": {"name": "f"}, "spec": {"dag": "d", "completed": {"dags": [{"name": "e"}]}}})
    operator = Operator(here)
    triggers: TriggerReconciler = operator.triggers
    seen = triggers.seen if ours else triggers.others_seen
    run = read_run(
        here.put(
            RUNS,
            {
                "metadata": {"name": "r"},
                "spec": {"dag": "e"},
                "status": {"phase": "Succeeded", "finishedAt": "2027-01-15T09:00:00Z", "revision": "e-1"},
            },
        )
    )
    if ours:
        triggers._sources = {"completed": triggers._sources["schedule"]}
    seen(copy.deepcopy(body), False)
    released = list[Run]()
    triggers.when_settled(run, released.append)
    assert released == []
    seen(delete(here, TRIGGERS, "f"), False)
    assert released == [run]


def backfilled(**spec: Any) -> tuple[Server, BackfillReconciler]:
    here = server(NOW, "t", cron="0 0 * * *")
    ticks = ["2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z", "2001-01-03T00:00:00Z"]
    here.put(BACKFILLS, {"metadata": {"name": "b"}, "spec": {"dag": "d", "ticks": ticks, **spec}})
    clock = lambda: here.now  # noqa: E731
    nobody = lambda *_: None  # noqa: E731
    dags = DAGIndex(here, nobody)
    operator = BackfillReconciler(here, EventRecorder(here, clock), dags, nobody, nobody, clock)
    operator.seen(copy.deepcopy(here.objects[BACKFILLS.plural, "b"]), False)
    return here, operator


async def test_a_backfill_makes_no_more_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    here, operator = backfilled(parallelism=3)
    create = here.create

    async def deleting(resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        answer = await create(resource, namespace, body, **query)
        if resource is RUNS:
            operator.seen(delete(here, BACKFILLS, "b"), False)
        return answer

    monkeypatch.setattr(here, "create", deleting)
    for _ in range(3):
        here.now += MINUTE
        await operator.reconcile(("ns", "b"))
    assert len(here.log) == 1 and not operator.holds("ns", "d", here.log[0])
    status = here.objects[BACKFILLS.plural, "b"]["status"]
    assert (status["phase"], status["message"]) == (
        "Suspended",
        "it is being deleted, and makes no more runs; those that it made go on",
    )
    assert ready(here.objects[BACKFILLS.plural, "b"])[1] == "Deleting"


async def test_a_change_of_a_backfill_during_a_write_of_its_status_is_processed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version that the operator's write returns has the change, and the watch reports no later one."""
    here, operator = backfilled(parallelism=1)
    patch, reported = here.patch, list[Body]()

    async def cancelling(resource: Resource, namespace: str, name: str, body: Body, *more: str, **query: str) -> Body:
        if resource is BACKFILLS and not reported:
            changed = copy.deepcopy(here.objects[BACKFILLS.plural, "b"])
            changed["spec"]["desiredState"] = "Cancelled"
            changed["metadata"]["generation"] += 1
            reported.append(copy.deepcopy(here.put(BACKFILLS, changed)))
        return await patch(resource, namespace, name, body, *more, **query)

    monkeypatch.setattr(here, "patch", cancelling)
    await operator.reconcile(("ns", "b"))
    for body in (*reported, here.objects[BACKFILLS.plural, "b"]):
        operator.seen(copy.deepcopy(body), False)
    here.now += MINUTE
    await operator.reconcile(("ns", "b"))
    run = here.objects[RUNS.plural, here.log[0]]
    assert run["spec"].get("desiredState") == "Cancelled" and len(here.log) == 1


async def test_triggers_wait_for_a_dag_that_is_being_deleted_as_for_a_missing_one() -> None:
    here = server(NOW, "t", every="60s")
    operator = Operator(here)
    await operator.look("t")
    operator.triggers.dags.seen(delete(here, DAGS, "d"), False)
    here.now += MINUTE
    await operator.look("t")
    await operator.save("t")
    assert here.log == [] and ready(here.objects[TRIGGERS.plural, "t"])[1] == "DAGNotFound"


async def test_no_run_of_a_dag_that_is_being_deleted_begins() -> None:
    operated = Operated()
    delete(operated.api, DAGS, "d")
    operated.runs.feed.seen(read_run(copy.deepcopy(operated.new)), False)
    await operated.passes()
    status = operated.api.objects[RUNS.plural, "r"]["status"]
    assert (status["phase"], status.get("revision")) == ("Queued", None)
    assert "the run begins when it is applied" in status["message"]


async def test_a_run_that_is_deleted_before_it_began_ends() -> None:
    operated = Operated()
    operated.runs.feed.seen(read_run(delete(operated.api, RUNS, "r")), False)
    await operated.passes()
    status = operated.api.objects[RUNS.plural, "r"]["status"]
    assert (status["phase"], status["message"]) == ("Cancelled", "deleted before it began")
