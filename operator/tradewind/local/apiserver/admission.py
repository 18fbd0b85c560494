"""From a client's request to the stored object: defaults, unknown fields, validation."""

import base64
import re
from typing import Any

from tradewind import GROUP
from tradewind.kube.client import Object
from tradewind.local.apiserver import celrules, pods, schema
from tradewind.local.apiserver.errors import Cause, StatusError, bad_request, invalid
from tradewind.local.apiserver.kinds import Kind
from tradewind.model import task_rules
from tradewind.model.dag import DAG
from tradewind.plan.pods.fields import unknown_fields

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

LABEL_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
LABEL_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def read(kind: Kind, body: Any) -> Object:
    """The object that a client sent. Raises 400."""
    if not isinstance(body, dict):
        raise bad_request("the body is not an object")
    if body.get("kind", kind.kind) != kind.kind or body.get("apiVersion", kind.api_version) != kind.api_version:
        found = f"{body.get('apiVersion')}, Kind={body.get('kind')}"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): {found}")
    meta = body.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        raise bad_request(
            f"{kind.kind} in version {kind.version!r} cannot be handled as a {kind.kind}: metadata must be an object"
        )
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": dict(meta or {})}


def known_fields(kind: Kind, body: Object, mode: str) -> tuple[Object, list[str]]:
    """The object without unknown fields, and warnings about them. Raises 400 in mode Strict."""
    if kind.schema is not None:
        body, unknown = schema.pruned(kind.schema, body)
    elif kind.plural == "pods":
        unknown = list(unknown_fields(body)) if mode != "Ignore" else []
    else:
        unknown = []
    words = [f'unknown field "{path}"' for path in unknown]
    if unknown and mode == "Strict":
        told = ", ".join(words)
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {told}'
        )
    return body, words if mode == "Warn" else []


def defaulted(kind: Kind, body: Object) -> Object:
    """The object with defaults."""
    if kind.schema is not None:
        defaults: Object = schema.defaulted(kind.schema, body)
        return defaults
    if kind.plural == "pods":
        return pods.defaulted(body)
    if kind.plural == "namespaces":
        return {**body, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    if kind.plural == "secrets":
        data = {**(body.get("data") or {}), **{k: _base64(v) for k, v in (body.get("stringData") or {}).items()}}
        return {"type": "Opaque", **{key: value for key, value in body.items() if key != "stringData"}, "data": data}
    return body


def _base64(text: str) -> str:
    return base64.b64encode(str(text).encode()).decode()


def validate(kind: Kind, body: Object, old: Object | None) -> None:
    """Raises 422 with everything that is wrong."""
    causes = [*_metadata(body["metadata"])]
    if kind.schema is not None:
        causes += schema.problems(kind.schema, body)
        if not causes:
            causes += celrules.violations(kind.schema, _for_rules(body), _for_rules(old))
            if (kind.kind, kind.group) == (DAG.kind, GROUP):  # as the chart's policy
                causes += celrules.violations(task_rules.SCHEMA, body, old)
    elif kind.plural == "pods":
        causes += pods.problems(body)
        if old is not None and not causes:
            causes += pods.changed(old, body)
    elif kind.plural == "controllerrevisions" and old is not None and body.get("data") != old.get("data"):
        causes.append(Cause.invalid("data", "", "field is immutable"))
    if causes:
        raise invalid(kind.kind, kind.group, body["metadata"].get("name", ""), causes)


def _for_rules(body: Object | None) -> Object | None:
    """The object as validation rules see it: with only the names of its metadata."""
    if body is None:
        return None
    meta = {key: body["metadata"][key] for key in ("name", "generateName") if key in body["metadata"]}
    return {**body, "metadata": meta}


def _metadata(meta: Object) -> list[Cause]:
    causes = []
    name = meta.get("name", "")
    if not name:
        causes.append(Cause.required("metadata.name", "name or generateName is required"))
    elif len(name) > 253:
        causes.append(Cause.invalid("metadata.name", f'"{name}"', "must be no more than 253 bytes"))
    elif not SUBDOMAIN.fullmatch(name):
        causes.append(Cause.invalid("metadata.name", f'"{name}"', SUBDOMAIN_RULE))
    for key, value in (meta.get("labels") or {}).items():
        prefix, slash, name = key.rpartition("/")
        if not LABEL_NAME.fullmatch(name) or (slash and not SUBDOMAIN.fullmatch(prefix)):
            causes.append(Cause.invalid("metadata.labels", f'"{key}"', LABEL_NAME_RULE))
        if not isinstance(value, str):
            raise StatusError(
                400, "BadRequest", f"unable to decode: metadata.labels.{key}: must be a string, not {value!r}"
            )
        if len(value) > 63:
            causes.append(Cause.invalid("metadata.labels", f'"{value}"', "must be no more than 63 bytes"))
        elif not LABEL_VALUE.fullmatch(value):
            causes.append(Cause.invalid("metadata.labels", f'"{value}"', LABEL_VALUE_RULE))
    return causes
