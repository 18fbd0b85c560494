"""A run's cost for the API server: each request that the operator sends for it is counted, so that none is added
unnoticed."""

from collections import Counter
from typing import Any

import pytest
from chaos.scenario import Scenario, Task
from chaos.world import simulate
from tradewind.kube.client import Client
from tradewind.kube.labels import DAG, HOW, MANUAL

ONE = {"a": Task(seconds=10)}
CHAIN = {"a": Task(seconds=10), "b": Task(("a",), seconds=10), "c": Task(("b",), seconds=10)}
FAN_OUT = {"a": Task(items=10, seconds=10)}


class Labelled(Scenario):
    """Its runs are created as by `tradewind run` and triggers."""

    @property
    def objects(self) -> list[tuple[str, dict[str, Any]]]:
        found = super().objects
        for plural, body in found:
            if plural == "dagruns":
                body["metadata"]["labels"] = {HOW: MANUAL, DAG: "d"}
        return found


def requests(
    monkeypatch: pytest.MonkeyPatch, tasks: dict[str, Task], runs: int, made: type[Scenario] = Labelled
) -> Counter[str]:
    """The requests of an operator that runs this many runs, created at once, to their ends."""
    found: Counter[str] = Counter()
    send = Client._request

    async def counted(self: Client, method: str, verb: str, resource: Any, *rest: Any, **more: Any) -> bytes:
        found[f"{verb} {resource.plural}"] += 1
        return await send(self, method, verb, resource, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "_request", counted)
        simulate(made(1, tasks, runs=runs, retention="Always", troubles=()))
    return found


@pytest.mark.parametrize(
    ("tasks", "pods", "statuses"),
    [
        pytest.param(ONE, 1, 2, id="one task: its beginning and its end"),
        pytest.param(CHAIN, 3, 4, id="a chain of three: the end of each task too"),
        pytest.param(FAN_OUT, 10, 10, id="a fan-out of ten: ends that come together are written together"),
    ],
)
def test_a_run_costs_its_pods_its_statuses_and_an_event(
    monkeypatch: pytest.MonkeyPatch, tasks: dict[str, Task], pods: int, statuses: int
) -> None:
    """In addition to the cost of the DAG itself, which is the same for one run and two."""
    first, both = (requests(monkeypatch, tasks, runs) for runs in (1, 2))
    assert first["update dagruns"] == statuses and first["create pods"] == pods and first["create events"] == 1
    assert first["patch dagruns"] == first["get dagruns"] == first["get pods"] == 0
    added = both - first
    assert added.keys() == {"create pods", "update dagruns", "create events"}
    assert added["create pods"] == pods and added["create events"] == 1
    assert added["update dagruns"] <= pods + 2


def test_a_run_without_labels_costs_one_request_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = requests(monkeypatch, ONE, 1, Scenario) - requests(monkeypatch, ONE, 1)
    assert found == {"patch dagruns": 1}


def test_a_burst_of_runs_reads_their_dag_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    found = requests(monkeypatch, ONE, runs := 100)
    assert found["update dagruns"] == 2 * runs and found["create pods"] == runs
    assert found["get dags"] <= 5
