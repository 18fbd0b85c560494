"""A run of a sub-DAG asks for the approvals of the revision that it is bound to: users who edit the DAG meanwhile
bypass none."""

from typing import Any

import orjson
import pytest
from plan.game import defined
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags import bound_approvals as module
from tradewind.control.dags.bound_approvals import asking_now, read_edits
from tradewind.control.dags.revisions import REVISIONS
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import DAGS, RUNS, Resource
from tradewind.plan.runs.decision import Live
from tradewind.plan.runs.planner import Planner

from control.triggerworld import Body, Server

ASKS: Body = {"ok": {"approval": {}}}
PLAIN: Body = {"a": {"compute": {"n": "1"}}}
INNER: Body = {"in": {"dag": {"name": "inner"}}}
PARENT: Body = {"c": {"dag": {"name": "child"}}, "then": {"dependsOn": ["c"], "compute": {"n": "1"}}}
EDITS = [{"action": "Succeed", "tasks": ["c"]}]


class Api(Server):
    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        return orjson.dumps(await self.get(resource, namespace, name))

    async def list_raw(self, resource: Resource, namespace: str | None, **query: str) -> bytes:
        wanted = dict([query["labelSelector"].split("=")])
        found = [
            body
            for (plural, _), body in self.objects.items()
            if plural == resource.plural and wanted.items() <= (body["metadata"].get("labels") or {}).items()
        ]
        return orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": found})

    def run(self, name: str, dag: str, tasks: Body | None, caller: str = "", **spec: Any) -> Body:
        """A run that is bound to these tasks; None: it has not begun."""
        status: Body = {"phase": "Queued"}
        if tasks is not None:
            self.put(REVISIONS, {"metadata": {"name": f"rev-{name}"}, "data": {"spec": {"tasks": tasks}}})
            status = {"phase": "Running", "revision": f"rev-{name}", "startedAt": "2026-01-01T00:00:00Z"}
        labels = {RUN_UID: f"uid-of-{caller}"} if caller else {}
        meta = {"name": name, "uid": f"uid-of-{name}", "labels": labels}
        return self.put(RUNS, {"metadata": meta, "spec": {"dag": dag, **spec}, "status": status})

    def dag(self, name: str, tasks: Body) -> None:
        self.put(DAGS, {"metadata": {"name": name}, "spec": {"tasks": tasks}})


def parent(api: Api, tasks: Body = PARENT) -> tuple[Any, Planner]:
    run = read_run(api.run("p", "par", tasks, edits=EDITS))
    planner = RunState(run).bind(defined(tasks), (), 0.0, 0.0)
    planner.tell_live("c", Live(1))
    return run, planner


async def test_an_edited_dag_passes_no_approval_of_a_run_that_is_there() -> None:
    api = Api(0.0)
    run, planner = parent(api)
    api.dag("child", PLAIN)
    api.run("p-c-1", "child", ASKS, "p")
    asked = await read_edits(api, run, planner)
    assert asked.changes == [] and "c runs DAG child, which has approvals" in str(asked.problems[0])


@pytest.mark.parametrize(("bound", "asks"), [(ASKS, {"child"}), (PLAIN, set()), (INNER, {"child"}), (None, set())])
async def test_a_part_asks_by_its_revision_and_those_of_its_own_parts(bound: Body | None, asks: set[str]) -> None:
    api = Api(0.0)
    run, planner = parent(api)
    for name in ("child", "inner"):
        api.dag(name, PLAIN)
    api.run("p-c-1", "child", bound, "p")
    api.run("p-c-1-in-1", "inner", ASKS, "p-c-1")
    assert set(await asking_now(api, run, planner)) == asks


async def test_a_part_without_its_labels_is_found_by_its_name() -> None:
    api = Api(0.0)
    run, planner = parent(api)
    api.dag("child", PLAIN)
    api.run("p-c-1", "child", ASKS)
    assert set(await asking_now(api, run, planner)) == {"child"}


async def test_a_part_whose_revision_is_gone_may_ask() -> None:
    api = Api(0.0)
    run, planner = parent(api)
    api.dag("child", PLAIN)
    api.run("p-c-1", "child", PLAIN, "p")
    del api.objects[REVISIONS.plural, "rev-p-c-1"]
    assert set(await asking_now(api, run, planner)) == {"child"}


async def test_where_there_is_no_part_the_dag_counts_as_it_is() -> None:
    for tasks, asks in ((ASKS, {"child"}), (PLAIN, set())):
        api = Api(0.0)
        run, planner = parent(api)
        api.dag("child", tasks)
        assert set(await asking_now(api, run, planner)) == asks


async def test_of_more_parts_than_are_read_the_rest_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKERS_LIMIT", 3)
    api = Api(0.0)
    run, planner = parent(api)
    api.dag("child", PLAIN)
    for number in range(1, 6):
        api.run(f"p-c-{number}", "child", PLAIN, "p")
    assert set(await asking_now(api, run, planner)) == {"child"}


async def test_a_part_that_has_not_begun_asks_by_the_revision_that_is_pinned() -> None:
    """Users who edit the DAG before its run begins bypass no approval either."""
    for pins, asks in (({"child": "c"}, {"child"}), ({"child": "i", "inner": "c"}, {"child"}), ({"child": "p"}, set())):
        api = Api(0.0)
        run, planner = parent(api)
        for name in ("child", "inner"):
            api.dag(name, PLAIN)
        for name, tasks in (("c", ASKS), ("i", INNER), ("p", PLAIN)):
            api.put(REVISIONS, {"metadata": {"name": name}, "data": {"spec": {"tasks": tasks}}})
        run.status["calls"] = pins
        assert set(await asking_now(api, run, planner)) == asks
