"""Which revisions runs use: those of local DAGs use the revision of the DAG around them."""

from collections.abc import Mapping
from typing import Any

import orjson
from tradewind.control.retention.revisions import uses
from tradewind.kube.client import Client
from tradewind.kube.labels import DAG
from tradewind.kube.resources import RUNS
from tradewind.local.apiserver import selectors
from tradewind.local.apiserver.kinds import Kind


class Runs(Client):
    """Has these runs."""

    def __init__(self, *runs: Mapping[str, Any]) -> None:
        self.runs = runs

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        kind = Kind("tradewind.dev", "v1alpha1", RUNS.plural, "DAGRun", selectable=("spec.dag", "status.phase"))
        chosen = selectors.both(
            selectors.labels(query.get("labelSelector", "")), selectors.fields(query.get("fieldSelector", ""), kind)
        )
        return orjson.dumps({"metadata": {}, "items": [run for run in self.runs if chosen(run)]})


def run(dag: str, revision: str = "", phase: str = "Succeeded", **calls: str) -> dict[str, Any]:
    meta = {"name": "r", "namespace": "ns", "labels": {DAG: dag.partition(".")[0]}}
    return {
        "metadata": meta,
        "spec": {"dag": dag},
        "status": {"phase": phase, **({"revision": revision} if revision else {}), "calls": calls},
    }


async def test_a_run_of_a_local_dag_uses_the_revision_around_it() -> None:
    """Also when the run that made it was deleted without it."""
    runs = Runs(
        run("d", "d-1"),
        run("d", "d-1"),
        run("d", phase="Queued"),
        run("d.part", "d-2.part", "Running"),
        run("dd", "dd-3"),
        {**run("other", "other-1"), "metadata": {"name": "forged", "namespace": "ns", "labels": {DAG: "d"}}},
    )
    assert await uses(runs, "ns", "d") == {"d-1": 2, "d-2": 1}


async def test_an_active_run_uses_the_revisions_that_it_calls() -> None:
    pins = {"d": "d-1", "e": "e-1"}
    local = {"d.part": "d-2.part", "d.more": "d-2.more"}
    runs = Runs(run("x", "x-1", "Running", **pins), run("y", "y-1", "Running", **local), run("z", "z-1", **pins))
    assert await uses(runs, "ns", "d") == {"d-1": 1, "d-2": 1}
