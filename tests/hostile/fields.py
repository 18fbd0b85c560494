"""Every field of every kind, and an object that contains it."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from fuzz.garbage import CRDS

from .inputs import NAME, TIMEOUT, WEB, Body, made

Path = tuple[str | int, ...]
CLUSTER = {"ClusterPool", "ClusterTaskTemplate", "ClusterDAGTemplate"}
"""Kinds that no tenant may write."""
HTTP = {"url": f"http://{WEB}/json/small", "timeout": "2s"}
SECRET = {"secretKeyRef": {"name": "own", "key": "key"}}
POLL = {"interval": "1s", "timeout": "3s"}
TASKS: dict[str, Body] = {
    "compute": {"compute": {"n": "1"}},
    "http": {"http": {**HTTP, "method": "POST", "headers": {"X-A": "$(K)"}, "body": "{}", "expectStatus": [200]}, "envFrom": {"K": SECRET}},
    "poll": {"sensor": {"http": {**HTTP, "headers": {"X-A": "a"}, "body": "{}"}, "until": "status == 200", **POLL}},
    "bucket": {"sensor": {"bucket": {"endpoint": f"http://{WEB}", "bucket": "good", "secretName": "own", "prefix": "good"}, **POLL}},
    "key": {"sensor": {"bucket": {"endpoint": f"http://{WEB}", "bucket": "good", "secretName": "own", "key": "k1"}, **POLL}},
    "sql": {"sensor": {"sql": {"host": "127.0.0.9", "database": "d", "secretName": "own", "query": "select 1", "parameters": ["1"], "user": "u", "timeout": "1s"}, **POLL}},
    "object": {"sensor": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "name": "none"}, **POLL}},
    "run": {"sensor": {"run": {"dag": "none", "labels": {"a": "b"}, "task": "a"}, **POLL}},
    "script": {"image": "x", "script": {"shell": "true"}, "env": {"A": "b"}, "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}},
    "command": {"image": "x", "command": ["true"], "args": ["a"], "retries": {"limit": 0, "backoff": {"initial": "1s"}}},
    "wait": {"wait": {"duration": "1s"}},
    "until": {"wait": {"until": "2020-01-01T00:00:00Z"}},
    "approval": {"approval": {"message": "m", "timeout": "2s", "questions": {"q": {"type": "string", "default": "a"}}}},
    "dag": {"dag": {"name": "none", "params": {"a": 1}, "logicalDate": "2026-01-31T06:00:00Z"}},
    "each": {"forEach": {"items": [1, 2], "name": "$[[ item ]]"}, "compute": {"n": "item"}},
    "matrix": {"forEach": {"matrix": {"axes": {"a": [1, 2]}, "exclude": [{"a": 1}], "include": [{"a": 3}]}}, "compute": {"n": "1"}},
    "range": {"forEach": {"range": {"start": 0, "stop": 2, "step": 1}}, "compute": {"n": "index"}},
    "loop": {"loop": {"until": "iteration >= 1", "delay": "1s"}, "compute": {"n": "iteration"}},
    "produces": {"compute": {"n": "1"}, "produces": [{"name": "a", "partition": "p", "metadata": {"k": "v"}}], "when": "true"},
    "after": {"compute": {"n": "1"}, "dependsOn": ["t"], "triggerRule": "AllSucceeded", "when": "true"},
    "template": {"template": {"name": "none", "params": {}}},
}  # fmt: skip
"""A task of each kind."""
SOURCES: dict[str, Body] = {
    "schedule": {"schedule": {"cron": "0 0 * * *", "timeZone": "UTC", "jitter": "1s", "startingDeadline": "1m"}},
    "every": {"schedule": {"every": "1h", "start": "2026-01-01T00:00:00Z"}},
    "calendar": {"schedule": {"cron": "0 0 * * *", "exclude": [{"configMap": {"name": "none", "key": "days"}}, {"days": ["01-01"]}]}},
    "completed": {"completed": {"dags": [{"name": "none", "when": "true"}], "within": "1h"}},
    "assets": {"assets": {"anyOf": [{"name": "none"}]}},
    "object": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "changes": ["Created"], "labelSelector": {"matchLabels": {"a": "b"}}}},
    "sensor": {"sensor": {"http": HTTP, "items": "[status]", "key": "string(item)", "interval": "1s"}},
    "bucket": {"sensor": {"bucket": {"endpoint": f"http://{WEB}", "bucket": "good", "secretName": "own", "prefix": "good"}, "interval": "1s"}},
    "event": {"event": {"authentication": {"token": {"secretRef": {"name": "own", "key": "key"}}}}},
}  # fmt: skip
PARAM = {"type": "string", "default": "a", "enum": ["a"], "description": "d"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: its schema, and an object that contains it."""

    kind: str
    path: Path
    schemas: tuple[Any, ...]
    """The schemas of each step of the path."""
    base: Body

    @property
    def schema(self) -> Any:
        """The schema of the field."""
        return self.schemas[-1]

    @property
    def name(self) -> str:
        """The last name in its path."""
        return next((str(part) for part in reversed(self.path) if isinstance(part, str) and part not in ("t", "k")), "")

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(map(str, self.path))}"

    def holding(self, value: Any) -> Body:
        """The object with a value there."""
        body = copy.deepcopy(self.base)
        where: Any = body
        for step, after, schema in zip(self.path, (*self.path[1:], None), self.schemas, strict=True):
            if after is None:
                _put(where, step, value)
                break
            inner = where.get(step) if isinstance(where, dict) else (where[step] if len(where) > int(step) else None)
            if not isinstance(inner, list if isinstance(after, int) else dict):
                inner = sample(schema) if isinstance(after, str) else []
                inner = inner if isinstance(inner, list if isinstance(after, int) else dict) else {}
                _put(where, step, inner)
            where = inner
        return body


def _put(where: Any, step: str | int, value: Any) -> None:
    if isinstance(where, list):
        where[:] = [*where[: int(step)], value, *where[int(step) + 1 :]]
    else:
        where[step] = value


def bases(kind: str) -> Iterator[Body]:
    """Valid objects of a kind, each different."""
    usual = {"timeout": f"{TIMEOUT:.0f}s"}
    match kind:
        case "DAG":
            for task in TASKS.values():
                yield made(
                    "DAG",
                    {
                        **usual,
                        "params": {"k": PARAM},
                        "tasks": {"t": {"compute": {"n": "1"}}, "x": task},
                        "defaults": {"image": "x"},
                    },
                )
        case "DAGRun":
            yield made("DAGRun", {"dag": NAME, "params": {"k": "a"}, "edits": [{"action": "Skip", "tasks": ["t"]}]})
            yield made("DAGRun", {"dag": NAME, "params": {"k": "a"}, "reuse": {"run": "none", "only": ["t"]}})
        case "Trigger":
            for source in SOURCES.values():
                yield made("Trigger", {"dag": NAME, "params": {"k": "a"}, **source})
        case "Backfill":
            yield made(
                "Backfill",
                {"dag": NAME, "cron": "0 0 * * *", "start": "2026-01-01", "end": "2026-01-02", "params": {"k": "a"}},
            )
        case "Approval":
            yield made("Approval", {"run": NAME, "task": "t", "questions": {"k": PARAM}, "message": "m"})
        case "Pool":
            yield made("Pool", {"slots": 1})
        case "TaskTemplate":
            yield made("TaskTemplate", {"params": {"k": PARAM}, "task": TASKS["compute"]})
        case "DAGTemplate":
            yield made("DAGTemplate", {"params": {"k": PARAM}, "dag": {**usual, "tasks": {"t": TASKS["compute"]}}})


@cache
def fields() -> tuple[Field, ...]:
    """All of them: texts, numbers, lists, maps and fields of any type."""
    found: dict[tuple[str, Path], Field] = {}
    for crd in CRDS:
        kind = crd["spec"]["names"]["kind"]
        if kind in CLUSTER:
            continue
        spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        known = list(bases(kind))
        for path, schemas in _walk(spec, ("spec",), (spec,)):
            found.setdefault((kind, path), Field(kind, path, schemas, _near(path, known)))
    return tuple(found.values())


def _walk(schema: Any, path: Path, above: tuple[Any, ...]) -> Iterator[tuple[Path, tuple[Any, ...]]]:
    if path != ("spec",):
        yield path, above
    for name, inner in (schema.get("properties") or {}).items():
        yield from _walk(inner, (*path, name), (*above, inner))
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield from _walk(inner, (*path, "x" if path[-1] == "tasks" else "k"), (*above, inner))
    if isinstance(inner := schema.get("items"), dict):
        yield from _walk(inner, (*path, 0), (*above, inner))


def sample(schema: Any) -> Any:
    """The smallest value that fits a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: sample(schema["properties"][name]) for name in schema.get("required") or ()}
        case "array":
            return [sample(schema["items"])] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    pattern = schema.get("pattern", "")
    return (
        "1s"
        if "(ms|s|m|h|d)" in pattern
        else f"http://{WEB}"
        if "https?" in pattern
        else "2026-01-01T00:00:00Z"
        if schema.get("format")
        else "own"
    )


def _near(path: Path, known: list[Body]) -> Body:
    """The base that has most of a path."""

    def depth(body: Any) -> int:
        for count, step in enumerate(path):
            if (isinstance(body, dict) and step in body) or (
                isinstance(body, list) and isinstance(step, int) and len(body) > step
            ):
                body = body[step]
            else:
                return count
        return len(path)

    return max(known, key=depth)


def about(field: Field) -> tuple[Body, ...]:
    """The objects that make the operator read a field's object: a DAG, and mostly a run of it."""
    plain = made(
        "DAG",
        {"timeout": f"{TIMEOUT:.0f}s", "params": {"k": {**PARAM, "enum": []}}, "tasks": {"t": {"compute": {"n": "1"}}}},
    )
    used = made(
        "DAG", {"timeout": f"{TIMEOUT:.0f}s", "tasks": {"t": {"template": {"name": NAME, "params": {"k": "a"}}}}}
    )
    return () if field.kind == "DAG" else (used if field.kind == "TaskTemplate" else plain,)
