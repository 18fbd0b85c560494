"""CRDs from the models: one structural schema per kind, so that documents are described in one place."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tradewind import GROUP, VERSION
from tradewind.model.approval import Approval
from tradewind.model.backfill import Backfill
from tradewind.model.base import rule
from tradewind.model.dag import DAG
from tradewind.model.pool import ClusterPool, Pool
from tradewind.model.run import DAGRun
from tradewind.model.template import ClusterDAGTemplate, ClusterTaskTemplate, DAGTemplate, TaskTemplate
from tradewind.model.trigger import Trigger

Kind = (
    type[DAG]
    | type[DAGRun]
    | type[Pool]
    | type[Approval]
    | type[TaskTemplate]
    | type[DAGTemplate]
    | type[Trigger]
    | type[Backfill]
)
TEMPLATES: tuple[Kind, ...] = (TaskTemplate, ClusterTaskTemplate, DAGTemplate, ClusterDAGTemplate)
KINDS: tuple[Kind, ...] = (DAG, DAGRun, Pool, ClusterPool, Approval, Trigger, Backfill, *TEMPLATES)


class _Schema(GenerateJsonSchema):
    """JSON schema without keywords that structural schemas lack."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        json_schema = super().default_schema(schema)
        # An empty default has no effect, and the server would write it into every object.
        default = _substance(json_schema.pop("default", None))
        return {**json_schema, "default": default} if default else json_schema

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _substance(default: Any) -> Any:
    """A default without its empty parts."""
    if isinstance(default, dict):
        found = {key: _substance(value) for key, value in default.items()}
        return {key: value for key, value in found.items() if value not in (None, "", [], {}, 0, False)}
    return default


def _structural(node: Any, defs: dict[str, Any]) -> Any:
    """Inlines references and drops what the API server refuses or ignores."""
    if isinstance(node, list):
        return [_structural(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = defs[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    if node.get("x-kubernetes-int-or-string"):
        node = {key: value for key, value in node.items() if key not in ("anyOf", "type")}
    if node.get("x-kubernetes-preserve-unknown-fields"):
        node = {key: value for key, value in node.items() if key != "additionalProperties"}
    if node.get("enum") and "anyOf" in node:
        node.pop("anyOf")
    if "const" in node:
        node = {**node, "enum": [node["const"]]}
    if "anyOf" in node:  # unions of literals
        values = [value for option in node["anyOf"] for value in option.get("enum", [option.get("const")])]
        node = {**node, "type": "string", "enum": values}
    if patterns := node.get("patternProperties"):  # the API server doesn't support them: the model checks the keys
        node = {**node, "additionalProperties": next(iter(patterns.values()))}
    dropped = {"patternProperties", "$defs", "title", "const", "anyOf", "propertyNames"}
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in dropped or (key == "additionalProperties" and value is False):
            continue
        if key == "properties":
            result[key] = {name: _structural(child, defs) for name, child in value.items()}
        elif key == "description":
            result[key] = " ".join(value.split())
        else:
            result[key] = value if key in ("default", "enum") else _structural(value, defs)
    return result


def _describe_defaults(schema: dict[str, Any]) -> None:
    """Fields that a template can set have their defaults in the description: values that an API server fills in look
    like the author's own, and would override the template."""
    for node in schema["properties"].values():
        default = node.pop("default", None)
        if isinstance(default, str | int | float):
            node["description"] += f" Defaults to {default}."


def manifest(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    raw = kind.model_json_schema(by_alias=True, mode="validation", schema_generator=_Schema)
    schema = _structural(raw, raw.get("$defs", {}))
    if kind is DAG:
        _describe_defaults(schema["properties"]["spec"])
        _describe_defaults(schema["properties"]["spec"]["properties"]["tasks"]["additionalProperties"])
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **schema["properties"],
    }
    schema["required"] = ["spec"]
    schema["x-kubernetes-validations"] = [
        rule(
            f"self.metadata.name.size() <= {kind.name_limit}",
            f"metadata.name: at most {kind.name_limit} characters: names become label values and parts of pod names",
        ),
        *getattr(kind, "rules", ()),
    ]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": kind.columns,
        "schema": {"openAPIV3Schema": schema},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "categories": ["all", "tradewind"],
                **({"shortNames": kind.short_names} if kind.short_names else {}),
            },
            "versions": [version],
        },
    }


def manifests() -> list[dict[str, Any]]:
    """All CustomResourceDefinitions."""
    return [manifest(kind) for kind in KINDS]
