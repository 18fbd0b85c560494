"""/metrics, as checked by Prometheus's own tool."""

import subprocess

import pytest
from cluster.promtool import promtool
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tradewind import metrics


def exposition() -> bytes:
    metrics.api_requests.labels("get", "pods", 200).inc()
    metrics.api_duration.labels("get", "pods").observe(0.001)
    metrics.task_duration.labels("Succeeded").observe(3)
    metrics.run_duration.labels("Succeeded").observe(3)
    metrics.sensors_waiting.labels("http").set(1)
    metrics.sensor_polls.labels("http", "nothing").inc()
    metrics.dag_runs.labels("ns", "d", "Succeeded").inc()
    metrics.dag_run_duration.labels("ns", "d").observe(3)
    for gauge in (metrics.dag_last_success, metrics.dag_last_failure, metrics.dag_success_due):
        gauge.labels("ns", "d").set(3)
    metrics.READY_TO_CREATED.observe(0.002)
    metrics.events_refused.labels("slow").inc()
    own = [metrics.events_refused, metrics.events_in_flight, metrics.events_certificate_expiry]
    return generate_latest(metrics.REGISTRY) + b"".join(generate_latest(metric) for metric in own)


@pytest.mark.timeout(300)
def test_promtool_finds_nothing_to_complain_about() -> None:
    done = subprocess.run([promtool(), "check", "metrics"], input=exposition(), capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_no_label_is_unbounded() -> None:
    labels = {
        name
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        for name in sample.labels
    }
    assert labels <= {
        "le",
        "version",
        "python",
        "dag_namespace",  # for as many DAGs as the limit allows
        "dag",
        "stage",
        "outcome",
        "phase",
        "state",
        "verb",
        "resource",
        "result",
        "type",
        "code",
        "name",
        "reason",
        "kind",
    }


def test_every_stage_is_there_from_the_start() -> None:
    text = exposition().decode()
    for stage in ("ready_to_created", "created_to_scheduled", "scheduled_to_started", "dependency_finished_to_started"):
        assert f'tradewind_task_latency_seconds_count{{stage="{stage}"}}' in text
