"""The base of all documents: camelCase names, unknown fields refused, docstrings as descriptions."""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tradewind.model.bounded import params_problem

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DAG_OF_RUN = rf"{DNS_LABEL[:-1]}(\.{DNS_LABEL[1:-1]})?$"
"""The name of a DAG, or of a local DAG after that of its DAG: `sales.region`."""
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
API_VERSION = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?v[a-z0-9]+$"
KIND = r"^[A-Za-z][A-Za-z0-9]*$"
DATA_KEY = r"^[-._a-zA-Z0-9]+$"
SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
"""Names of objects of any kind: RBAC's may contain colons."""
LABEL_KEY = rf"^({DNS_SUBDOMAIN[1:-1]}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
BUCKET = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
REGION = r"^[A-Za-z0-9-]+$"
TASK_OR_ITEM = rf"{DNS_LABEL[:-1]}(\[(0|[1-9][0-9]{{0,3}})\])?$"
"""A task, or an item of a fan-out: `load` or `load[3]`."""
TEMPLATED = r"\$\[\["
"""The beginning of an expression: the value of its field is known, and checked, only when it is rendered."""
NAMED = {
    DAG_OF_RUN: "use at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
    DNS_LABEL: "use at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
    TASK_OR_ITEM: "write the name of a task, or task[index] for an item",
    DNS_SUBDOMAIN: "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
    API_VERSION: "write one such as v1 or batch/v1",
    KIND: "write one such as Job",
    DATA_KEY: "use letters, digits, '-', '_' and '.'",
    SEGMENT: "use letters, digits, '-', '_', '.' and ':', with a letter or digit first",
    LABEL_KEY: "write the key of a label, such as app or example.com/app",
    LABEL_VALUE: "write the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    BUCKET: "use letters, digits, '-', '_' and '.', with a letter or digit first",
}
"""Patterns of names, with what to write."""
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
"""Names that CEL can write without quotes."""
OF_IDENTIFIERS = "letters, digits and '_', not beginning with a digit"
MAX_TASKS = 10_000
MAX_DEPENDENCIES = 1_000
"""Of one task."""


class Role(StrEnum):
    """The kind of a text that is not a value, as a mark in its field's annotation."""

    EXPRESSION = "expression"
    SCRIPT = "script"


class Model(BaseModel):
    """A part of a document. Subclasses describe each field in a docstring under it."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )


def crd(**extra: Any) -> dict[str, Any]:
    """Schema keys for the CRD only, spelled with underscores for dashes: `x_kubernetes_map_type="atomic"`."""
    return {key.replace("_", "-"): value for key, value in extra.items()}


def rule(cel: str, message: str, **more: str) -> dict[str, str]:
    """One `x-kubernetes-validations` entry."""
    return {"rule": cel, "message": message, **more}


def keys(pattern: str, one: str, of_what: str) -> dict[str, Any]:
    """A rule about the keys of a map, whose message names one that breaks it."""
    fits = f"key.matches('{pattern}')"
    message = f"names of {one}s have at most 63 characters: {of_what}"
    told = f"'{one} ' + self.filter(key, !{fits})[0] + {json.dumps(f': {message}')}"
    return crd(x_kubernetes_validations=[rule(f"self.all(key, {fits})", message, messageExpression=told)])


Name = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of an object of most kinds."""
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=DATA_KEY)]
"""A key of a Secret or ConfigMap."""
LabelKey = Annotated[str, Field(min_length=1, max_length=317, pattern=LABEL_KEY)]
LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
ApiVersion = Annotated[str, Field(min_length=1, max_length=317, pattern=API_VERSION)]
KindName = Annotated[str, Field(min_length=1, max_length=63, pattern=KIND)]
EnvName = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=32_768)]
ShortText = Annotated[str, Field(max_length=1_024)]
Script = Annotated[str, Field(min_length=1, max_length=98_304), Role.SCRIPT]
"""The kernel's limit is 128 KiB per argument; this leaves room for `$` signs, which are doubled for Kubernetes."""

Expression = Annotated[str, Field(max_length=4_096), Role.EXPRESSION]
"""CEL, without `$[[ ]]` around it."""

Anything = Annotated[Any, Field(json_schema_extra=crd(x_kubernetes_preserve_unknown_fields=True))]


def _not_too_large(params: dict[str, Any]) -> dict[str, Any]:
    if problem := params_problem(params):
        raise ValueError(problem)
    return params


Params = Annotated[dict[str, Anything], Field(max_length=100), AfterValidator(_not_too_large)]
"""Values for params."""
ComparedParams = Annotated[
    dict[str, Any],
    Field(max_length=100, json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    AfterValidator(_not_too_large),
]
"""The same in a schema that lets rules compare all values at once: rules don't know fields whose values have no type."""
Opaque = Annotated[
    dict[str, Any], Field(json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A point in time in the operator's format."""
Quantity = Annotated[
    str | int,
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]
IntOrExpression = Annotated[
    int | str, Field(union_mode="left_to_right", json_schema_extra={"x-kubernetes-int-or-string": True})
]
"""A number, or `$[[ CEL ]]` that returns one."""
