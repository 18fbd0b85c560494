"""Metrics of single DAGs: right after a restart, gone with the DAG, and never more than the limits allow."""

from typing import Any

import pytest
from tradewind import metrics
from tradewind.control.dagrun.run import Run
from tradewind.control.execution.dag_metrics import DAGMetrics, Limits
from tradewind.model.duration import stamp

PREFIX = "tradewind_dag_"


OWN = (
    metrics.dag_runs,
    metrics.dag_run_duration,
    metrics.dag_last_success,
    metrics.dag_last_failure,
    metrics.dag_success_due,
    metrics.dag_deadlines_missed,
    metrics.dag_runs_late,
)


@pytest.fixture(autouse=True)
def clean() -> None:
    """Removes what other tests of this process left."""
    for metric in OWN:
        metric.clear()


def dag(name: str, namespace: str = "ns", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": name, "creationTimestamp": stamp(1_000)}
    return {"metadata": meta, "spec": spec}


def run(of: str, phase: str, ended: float = 0, uid: str = "u", namespace: str = "ns", late: bool = False) -> Run:
    times = {"startedAt": stamp(ended - 30), "finishedAt": stamp(ended)} if ended else {}
    conditions = [{"type": "DeadlineMissed", "status": "True", "message": "not over in time: the run (1h)"}] * late
    status = {"phase": phase, "conditions": conditions, **times}
    return Run(uid, namespace, uid, 1, 1, 900, False, of, {}, "Running", status)


def value(name: str, dag: str = "d", namespace: str = "ns", **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(PREFIX + name, {"dag_namespace": namespace, "dag": dag, **labels})


def series() -> set[tuple[str, str]]:
    return {
        (sample.labels["dag_namespace"], sample.labels["dag"])
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if "dag" in sample.labels
    }


def test_runs_are_counted_from_zero_when_they_end_and_once() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d"), False)
    assert value("runs_total", phase="Failed") is None
    told.run_seen(run("d", ""))
    assert value("runs_total", phase="Failed") == 0
    for phase, ended in (("", 0), ("Running", 0), ("Failed", 2_000), ("Failed", 2_000)):
        told.run_seen(run("d", phase, ended))
    told.run_seen(run("d", "Running", uid="v"))
    told.run_seen(run("d", "Succeeded", 3_000, uid="v"))
    assert value("runs_total", phase="Failed") == value("runs_total", phase="Succeeded") == 1
    assert value("run_duration_seconds_sum") == 30 and value("run_duration_seconds_count") == 1


def test_a_run_that_misses_a_deadline_is_counted_once_and_is_late_until_it_ends() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d"), False)
    told.run_seen(run("d", "Running"))
    assert value("deadlines_missed_total") == value("runs_late") == 0
    for _ in range(2):
        told.run_seen(run("d", "Running", late=True))
        assert value("deadlines_missed_total") == value("runs_late") == 1
    told.run_seen(run("d", "Succeeded", 2_000, late=True))
    assert value("deadlines_missed_total") == 1 and value("runs_late") == 0
    told.run_seen(run("d", "Running", uid="v"))
    told.run_seen(run("d", "Failed", 3_000, uid="v", late=True))  # late in the moment in which it ends
    assert value("deadlines_missed_total") == 2 and value("runs_late") == 0


def test_after_a_restart_a_late_run_is_late_and_not_counted_again() -> None:
    told = DAGMetrics()
    told.run_seen(run("d", "Running", late=True))
    told.dag_seen(dag("d"), False)
    told.run_seen(run("d", "Running", late=True))
    assert value("deadlines_missed_total") == 0 and value("runs_late") == 1
    told.run_seen(run("d", "Running", late=True), deleted=True)
    assert value("runs_late") == 0


def test_a_run_that_is_retried_has_its_time_anew() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d"), False)
    for phase, late in (("Running", False), ("Running", True), ("Running", False), ("Running", True)):
        told.run_seen(run("d", phase, late=late))
    assert value("deadlines_missed_total") == 2 and value("runs_late") == 1


def test_runs_of_local_dags_count_for_no_dag() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d"), False)
    told.run_seen(run("d", "Running"))
    told.run_seen(run("d.part", "Running", uid="v"))
    told.run_seen(run("d.part", "Failed", 2_000, uid="v"))
    assert series() == {("ns", "d")} and value("runs_total", phase="Failed") == 0


@pytest.mark.parametrize("runs_first", [True, False])
def test_after_a_restart_the_last_ends_are_known_and_nothing_is_counted(runs_first: bool) -> None:
    told = DAGMetrics()
    if not runs_first:
        told.dag_seen(dag("d"), False)
    for uid, phase, ended in (("a", "Succeeded", 3_000), ("b", "Succeeded", 2_000), ("c", "Failed", 4_000)):
        told.run_seen(run("d", phase, ended, uid))
    told.dag_seen(dag("d"), False)
    assert value("last_success_timestamp_seconds") == 3_000
    assert value("last_failure_timestamp_seconds") == 4_000
    assert value("runs_total", phase="Succeeded") == 0


def test_a_success_is_due_after_the_last_one_or_the_dags_creation() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d", expectSuccessWithin="1h"), False)
    assert value("success_due_timestamp_seconds") == 1_000 + 3_600
    told.run_seen(run("d", "Succeeded", 5_000))
    assert value("success_due_timestamp_seconds") == 5_000 + 3_600
    told.dag_seen(dag("d", expectSuccessWithin="1h", suspend=True), False)
    assert value("success_due_timestamp_seconds") is None
    told.spec_seen("ns", "d", {"expectSuccessWithin": "2h"})  # from its template
    assert value("success_due_timestamp_seconds") == 5_000 + 7_200
    told.dag_seen(dag("d", expectSuccessWithin="soon"), False)
    assert value("success_due_timestamp_seconds") is None


def test_dags_beyond_the_limits_are_counted_together() -> None:
    told = DAGMetrics(Limits(total=3, of_namespace=2))
    for name in ("never-runs", "a", "b", "c"):
        told.dag_seen(dag(name, "crowd"), False)
    for name in ("never-runs", "d", "e"):
        told.dag_seen(dag(name, "other"), False)
    for name, namespace in (("a", "crowd"), ("b", "crowd"), ("c", "crowd"), ("d", "other"), ("e", "other")):
        told.run_seen(run(name, "", uid=name, namespace=namespace))
    assert series() == {("crowd", "a"), ("crowd", "b"), ("other", "d")}
    assert metrics.REGISTRY.get_sample_value("tradewind_dags_unlabelled") == 2
    for name, namespace in (("c", "crowd"), ("e", "other"), ("no-such-dag", "crowd")):
        told.run_seen(run(name, "Running", uid=name, namespace=namespace))
        told.run_seen(run(name, "Failed", 2_000, uid=name, namespace=namespace))
        told.run_seen(run(name, "Running", uid=f"{name}-late", namespace=namespace))
        told.run_seen(run(name, "Running", uid=f"{name}-late", namespace=namespace, late=True))
    assert value("runs_total", "_other", "_other", phase="Failed") == 3
    assert value("deadlines_missed_total", "_other", "_other") == 3
    assert series() == {("crowd", "a"), ("crowd", "b"), ("other", "d"), ("_other", "_other")}


def test_a_dag_that_goes_makes_room_for_one_whose_run_ends() -> None:
    told = DAGMetrics(Limits(total=1, of_namespace=1))
    told.dag_seen(dag("a", expectSuccessWithin="1h"), False)
    told.dag_seen(dag("b"), False)
    told.run_seen(run("a", "Succeeded", 2_000))
    told.dag_seen(dag("a"), True)
    assert series() == set()
    told.run_seen(run("b", "Succeeded", 3_000))
    assert series() == {("ns", "b")} and value("last_success_timestamp_seconds", "b") == 3_000


def test_what_another_replica_tells_of_is_told_no_more() -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d", expectSuccessWithin="1h"), False)
    told.run_seen(run("d", "Running"))
    told.run_seen(run("d", "Succeeded", 2_000))
    told.clear()
    assert series() == set()


@pytest.mark.parametrize("started", ["", "by hand", 5])
def test_a_run_whose_times_are_garbage_is_counted(started: Any) -> None:
    told = DAGMetrics()
    told.dag_seen(dag("d"), False)
    told.run_seen(run("d", "Running"))
    ended = run("d", "Succeeded", 2_000)
    told.run_seen(Run("u", "ns", "u", 1, 1, 900, False, "d", {}, "Running", {**ended.status, "startedAt": started}))
    assert value("runs_total", phase="Succeeded") == 1 and not value("run_duration_seconds_sum")
