"""The last run in a DAG's status: the latest that exists. Nothing is kept of DAGs that don't exist."""

from dataclasses import replace
from typing import Any, cast

import pytest
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.reconciler import DAGReconciler
from tradewind.kube.client import Client
from tradewind.kube.errors import Unavailable
from tradewind.kube.resources import DAGS, RUNS

from control.factworld import Server

CHECKED = {
    "observedGeneration": 1,
    "phase": "Valid",
    "revision": 1,
    "conditions": [{"type": "Valid", "status": "True"}],
}


def run(dag: str) -> Run:
    meta = {"name": "r", "namespace": "ns", "uid": dag, "resourceVersion": "1", "generation": 1}
    return read_run({"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dag": dag}})


def dag(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": name, "generation": 1}, "spec": {"tasks": {}}}


class Operator:
    """An operator that has just started, and gets events of DAG `d`."""

    def __init__(self, server: Server) -> None:
        nothing = cast("Any", None)
        self.server, self.dags = server, DAGReconciler(server, nothing, nothing, nothing, nothing)
        self.dags._templates = cast("Any", type("Templates", (), {"forget": lambda self, user: None})())
        self.dags.seen(server.objects[DAGS.plural, "ns", "d"], False)

    def hears(self, *names: str) -> "Operator":
        for name in names:
            self.dags.run_seen(read_run(self.server.objects[RUNS.plural, "ns", name]))
        return self

    def hears_all(self) -> "Operator":
        """The informer has read all runs."""
        self.hears(*(name for plural, _, name in self.server.objects if plural == RUNS.plural))
        self.dags.all_seen()
        return self

    def deleted(self, name: str) -> "Operator":
        self.dags.run_seen(read_run(self.server.objects.pop((RUNS.plural, "ns", name))), deleted=True)
        return self

    async def says(self) -> Any:
        self.dags._writer.forget(("ns", "d"))  # however long ago the last write was
        await self.dags.reconcile(("ns", "d"))
        return self.server.objects[DAGS.plural, "ns", "d"]["status"].get("lastRun")


@pytest.fixture
def server() -> Server:
    made = Server()
    made.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}, "status": dict(CHECKED)})
    for name, phase in (("one", "Succeeded"), ("two", "Failed"), ("three", "Running")):
        made.now += 60
        made.ended("d", name, phase)
    return made


async def test_the_last_run_is_the_latest_that_is_left(server: Server) -> None:
    operator = Operator(server).hears_all()
    assert await operator.says() == {"name": "three", "phase": "Running"}
    assert await operator.deleted("three").says() == {"name": "two", "phase": "Failed"}
    assert await operator.deleted("one").says() == {"name": "two", "phase": "Failed"}
    assert await operator.deleted("two").says() is None


async def test_an_operator_that_was_away_sees_that_the_last_run_is_gone(server: Server) -> None:
    await Operator(server).hears_all().says()
    del server.objects[RUNS.plural, "ns", "three"]
    assert await Operator(server).says() == {"name": "three", "phase": "Running"}, "nobody knows yet"
    assert await Operator(server).hears_all().says() == {"name": "two", "phase": "Failed"}
    for name in ("one", "two"):
        del server.objects[RUNS.plural, "ns", name]
    assert await Operator(server).hears_all().says() is None


async def test_a_deletion_that_nobody_told_of_is_seen_when_all_runs_are_read_again(server: Server) -> None:
    server.ended("d", "three")
    operator = Operator(server).hears_all().hears_all()
    assert await operator.says() == {"name": "three", "phase": "Succeeded"}
    del server.objects[RUNS.plural, "ns", "three"]
    assert await operator.hears_all().says() == {"name": "two", "phase": "Failed"}


async def test_it_is_asked_again_until_there_is_an_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Operator(server).hears_all()
    await operator.says()
    operator.deleted("three")
    with monkeypatch.context() as patched:

        async def fails(*_: Any, **__: Any) -> bytes:
            raise Unavailable(503, "Unavailable", "now")

        patched.setattr(server, "list_raw", fails)
        with pytest.raises(Unavailable):
            await operator.says()
    assert await operator.says() == {"name": "two", "phase": "Failed"}


async def test_a_run_that_goes_while_it_is_asked_is_not_the_last(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, read = Operator(server).hears_all(), server.list_raw
    operator.deleted("three")

    async def reads(*args: Any, **query: str) -> bytes:
        found = await read(*args, **query)
        if (RUNS.plural, "ns", "two") in server.objects:
            operator.deleted("two")
        return found

    monkeypatch.setattr(server, "list_raw", reads)
    await operator.says()
    assert await operator.says() == {"name": "one", "phase": "Succeeded"}


async def test_nothing_is_kept_of_a_dag_that_goes_while_it_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, read = Operator(server).hears_all(), server.list_raw
    operator.deleted("three")

    async def reads(*args: Any, **query: str) -> bytes:
        operator.dags.seen(server.objects[DAGS.plural, "ns", "d"], True)
        return await read(*args, **query)

    monkeypatch.setattr(server, "list_raw", reads)
    await operator.says()
    assert not operator.dags._last and not operator.dags._unsure and not operator.dags._asking


def test_nothing_is_kept_of_runs_of_dags_that_there_are_not() -> None:
    nothing = cast("Any", None)
    dags = DAGReconciler(Client.__new__(Client), nothing, nothing, nothing, nothing)
    dags._templates = cast("Any", type("Templates", (), {"forget": lambda self, user: None})())
    dags.seen(dag("there"), False)
    for name in ("there", *(f"made-up-{number}" for number in range(50))):
        dags.run_seen(run(name))
        dags.run_seen(replace(run(name), deleting=True), deleted=True)
    assert not dags._last.keys() - {("ns", "there")}
    dags.seen(dag("there"), True)
    assert not dags._last and not dags._unsure
