"""The last run of each DAG: of DAGs that there are not nothing is kept."""

from dataclasses import replace
from typing import Any, cast

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.reconciler import DAGReconciler
from tradewind.kube.client import Client


def run(dag: str) -> Run:
    meta = {"name": "r", "namespace": "ns", "uid": dag, "resourceVersion": "1", "generation": 1}
    return read_run({"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dag": dag}})


def dag(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": name, "generation": 1}, "spec": {"tasks": {}}}


def test_nothing_is_kept_of_runs_of_dags_that_there_are_not() -> None:
    nothing = cast("Any", None)
    dags = DAGReconciler(Client.__new__(Client), nothing, nothing, nothing, nothing)
    dags._templates = cast("Any", type("Templates", (), {"forget": lambda self, user: None})())
    dags.seen(dag("there"), False)
    for name in ("there", *(f"made-up-{number}" for number in range(50))):
        dags.run_seen(run(name))
        dags.run_seen(replace(run(name), deleting=True), deleted=True)
    assert list(dags._last) == [("ns", "there")]
    dags.seen(dag("there"), True)
    assert not dags._last
