"""A DAG that keeps nothing keeps the runs of events until their senders have stopped retrying, and sub-DAG runs until
their callers have ended."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tradewind.control.dagrun.run import Caller, Run
from tradewind.control.retention.runs import HistoryReconciler
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.resources import Resource
from tradewind.model.duration import stamp
from tradewind.plan.retention.runs import GRACE, REPEATS

NOW = 1_000_000


class Deleting(Client):
    """Records deletions."""

    def __init__(self) -> None:
        super().__init__(Connection("http://nowhere"))
        self.gone: list[str] = []

    async def delete(self, resource: Resource, namespace: str, name: str, *_: Any, **options: Any) -> dict[str, Any]:
        self.gone.append(name)
        return {}


def historian(client: Client, unfinished: Callable[[str], bool] = lambda uid: False) -> HistoryReconciler:
    return HistoryReconciler(client, lambda *run: False, unfinished, lambda run, tell: tell(run), lambda: NOW)


@pytest.mark.parametrize(("how", "kept"), [("event", REPEATS), ("schedule", GRACE), ("", GRACE)])
async def test_a_run_is_kept_as_long_as_what_made_it_asks_for(how: str, kept: int) -> None:
    for age, gone in ((kept - 1, []), (kept, ["r"])):
        client = Deleting()
        history = historian(client)
        history.spec_seen("ns", "d", {"history": {"succeeded": {"limit": 0}}})
        status = {"phase": "Succeeded", "finishedAt": stamp(NOW - age)}
        history.run_seen(Run("r", "ns", "u", 1, 1, 0, False, "d", {}, "Running", status, how=how, maker="t"))
        await history.reconcile(("ns", "d"))
        assert client.gone == gone


async def test_a_run_that_is_a_part_of_another_one_is_kept_until_that_has_ended() -> None:
    client, unfinished = Deleting(), {"caller"}
    history = historian(client, unfinished.__contains__)
    history.spec_seen("ns", "d", {"history": {"succeeded": {"limit": 0}, "failed": {"limit": 0}}})
    status = {"finishedAt": stamp(NOW - 2 * GRACE)}
    for name, phase, caller in (
        ("failed", "Failed", "caller"),
        ("done", "Succeeded", "caller"),
        ("alone", "Failed", ""),
    ):
        told = {**status, "phase": phase}
        run = Run(name, "ns", name, 1, 1, 0, False, "d", {}, "Running", told)
        run = replace(run, caller=Caller("caller", "r", "t", 1, 0)) if caller else run
        history.run_seen(run)
    await history.reconcile(("ns", "d"))
    assert client.gone == ["alone"]
    unfinished.clear()
    await history.reconcile(("ns", "d"))
    assert sorted(client.gone) == ["alone", "done", "failed"]


@pytest.mark.parametrize(
    ("keep", "gone"),
    [({}, ["old", "again", "new", "lost", "part"]), ({"cursor": {}}, ["old", "again", "lost", "part"])],
)
async def test_a_run_stays_whose_kept_values_the_next_one_reads(keep: dict[str, Any], gone: list[str]) -> None:
    """It is found without a request: the one worker for history serves all namespaces."""
    client = Deleting()
    history = historian(client)
    history.spec_seen("ns", "d", {"keep": keep, "history": {"succeeded": {"limit": 0}, "failed": {"limit": 0}}})
    runs = (
        ("old", 1, "Succeeded"),
        ("new", 3, "Succeeded"),
        ("again", 2, "Succeeded"),
        ("lost", 4, "Failed"),
        ("part", 5, "Succeeded"),
    )
    for version, (name, day, phase) in enumerate(runs, 1):
        status = {"phase": phase, "finishedAt": stamp(NOW - 2 * GRACE)}
        run = Run(name, "ns", name, version, 1, 0, False, "d", {}, "Running", status)
        history.run_seen(replace(run, moment=day * 86_400.0, until=("a",) if name == "part" else ()))
    await history.reconcile(("ns", "d"))
    assert sorted(client.gone) == sorted(gone)


async def test_the_runs_of_a_local_dag_are_kept_as_its_dag_says() -> None:
    client = Deleting()
    history = historian(client)
    status = {"phase": "Succeeded", "finishedAt": stamp(NOW - 2 * GRACE)}
    for name, dag in (("a", "d.one"), ("b", "d.one"), ("c", "d.two"), ("e", "d")):
        history.run_seen(Run(name, "ns", name, 1, 1, ord(name), False, dag, {}, "Running", status))
    history.spec_seen("ns", "d", {"history": {"succeeded": {"limit": 1}}, "dags": {"one": {}, "two": {}}})
    for dag in ("d", "d.one", "d.two"):
        await history.reconcile(("ns", dag))
    assert client.gone == ["a"]
