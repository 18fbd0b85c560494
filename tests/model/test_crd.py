"""The committed CRDs are the ones that the models generate, and contain only what an API server can enforce."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.cli.manifests.reader import Loader
from tradewind.cli.manifests.yaml_scalars import misread
from tradewind.kube.labels import TRIGGER
from tradewind.local.apiserver.celrules import violations
from tradewind.local.apiserver.kinds import look_up
from tradewind.model import task_rules
from tradewind.model.crd import manifests
from tradewind.model.reference import rows, text
from tradewind.model.write import main as write
from worlds.hostile import NAMES

CRDS = Path(__file__).parents[2] / "crds"


@pytest.mark.parametrize("made", manifests(), ids=lambda made: made["metadata"]["name"])
def test_the_committed_file_is_the_generated_one(made: dict[str, Any]) -> None:
    committed = yaml.safe_load((CRDS / f"{made['metadata']['name']}.yaml").read_text())
    assert committed == made, "run `make crds`"


def nodes(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, child in schema.get("properties", {}).items():
        found += nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found += nodes(schema[key], f"{path}[]")
    return found


@pytest.mark.parametrize("made", manifests(), ids=lambda made: made["metadata"]["name"])
def test_every_field_is_described_and_every_spec_field_bounded(made: dict[str, Any]) -> None:
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in nodes(schema):
        if path and not path.startswith((".apiVersion", ".kind", ".metadata")) and not path.endswith("[]"):
            assert node.get("description"), f"{path} has no description"
        if path.startswith(".spec"):
            match node.get("type"):
                case "string":
                    assert "maxLength" in node or "enum" in node, f"{path} is not bounded"
                case "array":
                    assert "maxItems" in node, f"{path} is not bounded"
                case "object" if "additionalProperties" in node:
                    assert "maxProperties" in node, f"{path} is not bounded"
        assert "$ref" not in node and "anyOf" not in node, f"{path} is not structural"


@pytest.mark.parametrize("made", manifests(), ids=lambda made: made["metadata"]["name"])
def test_the_name_of_a_field_is_text_in_yaml(made: dict[str, Any]) -> None:
    """kubectl reads `on:`, `y:` and `no:` as the keys true and false."""
    found = nodes(made["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    names = {path.rpartition(".")[2].removesuffix("[]") for path, _ in found} - {""}
    assert [name for name in sorted(names) if misread(yaml.compose(name, Loader))] == []


FORBIDDEN = {
    "$ref",
    "definitions",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "additionalItems",
    "const",
    "uniqueItems",
}
"""Keywords of JSON Schema that an API server refuses in a CRD."""


@pytest.mark.parametrize("made", manifests(), ids=lambda made: made["spec"]["names"]["kind"])
def test_no_schema_says_what_api_servers_refuse(made: dict[str, Any]) -> None:
    def words(node: Any, names: bool = False) -> set[str]:
        if isinstance(node, list):
            return set().union(*(words(item) for item in node))
        if not isinstance(node, dict):
            return set()
        found = set() if names else set(node)
        return found.union(*(words(item, key == "properties" and not names) for key, item in node.items()))

    assert not FORBIDDEN & words(made["spec"]["versions"][0]["schema"])


def test_the_committed_reference_is_the_generated_one() -> None:
    assert (CRDS.parent / "docs" / "reference.md").read_text() == text(), "run `make docs`"


def test_crds_are_written_a_file_each_without_aliases(tmp_path: Path) -> None:
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in CRDS.glob("*.yaml")}
    assert all("&id" not in path.read_text() for path in tmp_path.iterdir())


def dag_spec() -> dict[str, Any]:
    (dag,) = (made for made in manifests() if made["spec"]["names"]["kind"] == "DAG")
    spec: dict[str, Any] = dag["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def test_what_a_template_can_say_is_not_said_by_the_api_server() -> None:
    """A default that it writes into a DAG would override the DAG's template."""
    spec = dag_spec()
    fields = {**spec["properties"], **spec["properties"]["tasks"]["additionalProperties"]["properties"]}
    assert [name for name, node in fields.items() if "default" in node] == []
    assert fields["triggerRule"]["description"].endswith("Defaults to AllSucceeded.")


def test_rules_about_tasks_hold_for_a_dag_that_has_them_from_a_template() -> None:
    assert list(violations(task_rules.SCHEMA, {"spec": {"template": {"name": "t"}}}, None)) == []


def test_no_rule_of_the_crd_looks_into_each_task() -> None:
    """An API server copies a task's schema for each field that a rule reads: the rules about tasks are a policy."""
    spec = dag_spec()
    task = spec["properties"]["tasks"]["additionalProperties"]
    assert "x-kubernetes-validations" not in task
    above = [*spec["x-kubernetes-validations"], *spec["properties"]["tasks"]["x-kubernetes-validations"]]
    assert [rule["rule"] for rule in above if re.search(r"tasks[\[.]|self\[", rule["rule"])] == []


def test_the_committed_rules_of_the_policy_are_the_generated_ones() -> None:
    committed = yaml.safe_load((CRDS.parent / "charts" / "tradewind" / "files" / "dag-rules.yaml").read_text())
    assert committed == task_rules.policy(), "run `make crds`"


def test_the_policy_looks_at_each_task_of_a_sound_dag_once() -> None:
    looks = [rule["expression"].count("variables.tasks.all(t,") for rule in task_rules.policy()["variables"]]
    assert looks == [0, 0, 1, 0]
    for rule in task_rules.policy()["validations"]:
        known = "sound" if "variables.tasks" in rule["expression"] else "local"
        assert rule["expression"].startswith(f"variables.{known} || ")
        assert rule["messageExpression"].startswith(f"variables.{known} ? ")


NAMING = {
    "name",
    "namespace",
    "secretName",
    "claimName",
    "serviceAccountName",
    "dag",
    "run",
    "trigger",
    "apiVersion",
    "kind",
    "bucket",
}
"""Fields that name something that is requested from the API server, or from a bucket's server."""
TEXTS = {"spec.tasks.*.forEach.name", "spec.defaults.forEach.name"}
"""Fields of those names that are texts for people."""


@pytest.mark.parametrize("made", manifests(), ids=lambda made: made["metadata"]["name"])
def test_every_name_has_the_pattern_of_names(made: dict[str, Any]) -> None:
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path, node, _ in rows(schema, "spec"):
        if path.rpartition(".")[2] not in NAMING or node.get("type") != "string" or path in TEXTS or "enum" in node:
            continue
        assert "pattern" in node, path
        assert not any(re.search(node["pattern"], name) for name in NAMES), path


def test_kubectl_names_the_trigger_of_a_run_with_wide() -> None:
    [crd] = [body for body in manifests() if body["spec"]["names"]["kind"] == "DAGRun"]
    columns = {item["name"]: item for item in crd["spec"]["versions"][0]["additionalPrinterColumns"]}
    assert columns["Trigger"]["jsonPath"].endswith(TRIGGER.replace(".", "\\.")) and columns["Trigger"]["priority"] == 1


@pytest.mark.parametrize("kind", ["DAG", "TaskTemplate", "ClusterDAGTemplate"])
def test_kubectl_says_why_an_object_is_invalid_with_wide(kind: str) -> None:
    [crd] = [body for body in manifests() if body["spec"]["names"]["kind"] == kind]
    columns = {item["name"]: item for item in crd["spec"]["versions"][0]["additionalPrinterColumns"]}
    conditions = [{"type": "Ready", "message": "no"}, {"type": "Valid", "message": "why"}]
    assert look_up({"status": {"conditions": conditions}}, columns["Message"]["jsonPath"]) == "why"
    assert columns["Message"]["priority"] == 1 and look_up({"status": {}}, columns["Message"]["jsonPath"]) is None


def test_the_embedded_server_finds_labels_with_dots() -> None:
    [crd] = [body for body in manifests() if body["spec"]["names"]["kind"] == "DAGRun"]
    columns = {item["name"]: item for item in crd["spec"]["versions"][0]["additionalPrinterColumns"]}
    assert look_up({"metadata": {"labels": {TRIGGER: "nightly"}}}, columns["Trigger"]["jsonPath"]) == "nightly"
