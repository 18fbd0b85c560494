"""The configuration for kube-state-metrics: its paths lead to fields that the CRDs have, and numbers are read from
numeric fields."""

from typing import Any

import pytest
import yaml
from tradewind.model.crd import manifests

from chart.rendering import CHART, needs_helm, of, rendered

CONFIG: dict[str, Any] = yaml.safe_load((CHART / "files" / "kube-state-metrics.yaml").read_text())
RESOURCES: list[dict[str, Any]] = CONFIG["spec"]["resources"]
SCHEMAS = {
    body["spec"]["names"]["kind"]: body["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for body in manifests()
}
METRICS = [
    pytest.param(resource, metric, id=f"{resource['groupVersionKind']['kind']}-{metric['name']}")
    for resource in RESOURCES
    for metric in resource["metrics"]
]


def at(schema: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The schema of a field; for a list that of its items."""
    for name in path:
        schema = schema["properties"][name]
    return dict(schema.get("items", schema))


@pytest.mark.parametrize(("resource", "metric"), METRICS)
def test_paths_lead_to_fields(resource: dict[str, Any], metric: dict[str, Any]) -> None:
    schema = SCHEMAS[resource["groupVersionKind"]["kind"]]
    gauge = metric["each"]["gauge"]
    found = at(schema, gauge["path"])
    for path in gauge.get("labelsFromPath", {}).values():
        at(found, path)
    value = at(found, gauge.get("valueFrom", []))
    times_and_truths = value.get("format") == "date-time" or value.get("enum") == ["True", "False", "Unknown"]
    assert value["type"] in ("integer", "number", "boolean") or times_and_truths
    for path in resource["labelsFromPath"].values():
        assert path[0] == "metadata" or at(schema, path)


@needs_helm
def test_the_chart_brings_it_to_the_namespace_that_mounts_it() -> None:
    assert not of(rendered({}), "ConfigMap")
    [body] = of(rendered({"kubeStateMetrics": {"enabled": True, "namespace": "monitoring"}}), "ConfigMap")
    assert body["metadata"]["namespace"] == "monitoring"
    assert yaml.safe_load(body["data"]["config.yaml"]) == CONFIG
