"""Discovery and OpenAPI, as far as kubectl needs them."""

from tradewind.kube.client import Object
from tradewind.local.apiserver.kinds import Kind, Registry

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3+tradewind",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}


def groups(registry: Registry) -> Object:
    """/apis."""
    found: dict[str, list[str]] = {}
    for group, version, _ in registry.kinds:
        if group and version not in found.setdefault(group, []):
            found[group].append(version)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(group, found[group]) for group in sorted(found)],
    }


def _group(group: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def resources(registry: Registry, group: str, version: str) -> Object | None:
    """/api/v1 or /apis/GROUP/VERSION."""
    kinds = [kind for kind in registry.kinds.values() if (kind.group, kind.version) == (group, version)]
    if not kinds:
        return None
    listed = []
    for kind in kinds:
        base: Object = {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
        }
        # Subresources have no short names and categories: kubectl would take them for resources.
        parts = dict(base)
        if kind.short_names:
            base["shortNames"] = list(kind.short_names)
        if kind.categories:
            base["categories"] = list(kind.categories)
        listed.append(base)
        if kind.status:
            listed.append(
                {**parts, "name": f"{kind.plural}/status", "singularName": "", "verbs": ["get", "patch", "update"]}
            )
        if kind.plural == "pods":
            listed.append({**parts, "name": "pods/log", "singularName": "", "verbs": ["get"]})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": listed,
    }


OPENAPI_2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Swagger in protobuf, the only form that kubectl asks for."""


def swagger() -> bytes:
    """/openapi/v2, without schemas. kubectl needs it for Lists and leaves the validation of their items to the server."""
    info = _texts("Kubernetes", VERSION["gitVersion"])
    return _texts("2.0") + b"\x12" + bytes([len(info)]) + info


def _texts(*texts: str) -> bytes:
    """A message of short texts whose fields are numbered from 1."""
    parts = ((number << 3 | 2, text.encode()) for number, text in enumerate(texts, 1))
    return b"".join(bytes([head, len(text)]) + text for head, text in parts)


def openapi_index(registry: Registry) -> Object:
    """/openapi/v3."""
    prefixes = sorted({kind.prefix.lstrip("/") for kind in registry.kinds.values()})
    return {"paths": {prefix: {"serverRelativeURL": f"/openapi/v3/{prefix}"} for prefix in prefixes}}


def openapi(registry: Registry, prefix: str) -> Object:
    """/openapi/v3/PREFIX: paths with the parameters that kubectl looks for, and schemas of custom resources."""
    paths: Object = {}
    schemas: Object = {}
    for kind in registry.kinds.values():
        if kind.prefix.lstrip("/") != prefix:
            continue
        where = f"{kind.prefix}/{'namespaces/{namespace}/' if kind.namespaced else ''}{kind.plural}"
        mark = {"x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind}}
        parameters = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in ("dryRun", "fieldManager", "fieldValidation", "force")
        ]
        operation = {"parameters": parameters, "responses": {"200": {"description": "OK"}}, **mark}
        paths[where] = {
            "get": {**operation, "x-kubernetes-action": "list"},
            "post": {**operation, "x-kubernetes-action": "post"},
        }
        paths[f"{where}/{{name}}"] = {
            "get": {**operation, "x-kubernetes-action": "get"},
            "patch": {**operation, "x-kubernetes-action": "patch"},
            "put": {**operation, "x-kubernetes-action": "put"},
            "delete": {**operation, "x-kubernetes-action": "delete"},
        }
        schemas[_schema_name(kind)] = _schema(kind)
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _schema_name(kind: Kind) -> str:
    host = ".".join(reversed((kind.group or "core.k8s.io").split(".")))
    return f"{host}.{kind.version}.{kind.kind}"


def _schema(kind: Kind) -> Object:
    schema = {"type": "object", **(kind.schema or {})}
    properties = {
        **schema.get("properties", {}),
        "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
        "kind": {"type": "string", "description": "Which kind of object this is."},
        "metadata": {"type": "object", "description": "Standard object's metadata."},
    }
    mark = [{"group": kind.group, "version": kind.version, "kind": kind.kind}]
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": mark}
