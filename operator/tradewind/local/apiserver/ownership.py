"""Owners of fields (`metadata.managedFields`), and the server-side apply that is based on them: a field that a manager
applied before and leaves out now is removed, unless someone else owns it.

Paths are written as in FieldsV1: `f:NAME` for a field, `k:{KEYS}` for an item of a list that is a map, `v:VALUE` for
one of a list that is a set. Simpler than in a real server: writes to the status are not recorded.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tradewind.kube.client import Object
from tradewind.local.apiserver.errors import StatusError
from tradewind.local.apiserver.kinds import Kind
from tradewind.local.apiserver.patch import KEYS, SETS

Path = tuple[str, ...]
Paths = frozenset[Path]
Schema = dict[str, Any] | None
"""Schema of a custom resource; None for built-in kinds, whose lists are known by field name."""
OWNED = ("labels", "annotations", "finalizers", "ownerReferences")
"""Fields of the metadata that have owners."""
UNTRACKED = frozenset({"pods", "events", "leases", "nodes", "controllerrevisions", "customresourcedefinitions"})
"""Kinds that are written often and never applied here."""
ANY: dict[str, Any] = {}


def tracked(kind: Kind) -> bool:
    """Whether owners of fields are recorded for a kind."""
    return kind.plural not in UNTRACKED


def created(kind: Kind, body: Object, manager: str, operation: str, now: str) -> Object:
    """A new object whose fields `manager` owns."""
    return _noted(body, [_entry(kind, manager, operation, fields(kind, body), now)])


def updated(kind: Kind, old: Object, new: Object, manager: str, now: str) -> Object:
    """The object after a manager's update: the manager owns what it changed; removed fields have no owner."""
    before, after = fields(kind, old), fields(kind, new)
    gone = before - after
    changed = frozenset(path for path in after if path not in before or _leaf_differs(old, new, path))
    if not gone and not changed:
        return new
    entries, own = [], changed
    for item in _entries(old):
        owned = _decoded(item.get("fieldsV1") or {})
        if (item.get("manager"), item.get("operation")) == (manager, "Update"):
            own = (owned - gone) | changed
        elif rest := owned - gone - changed:
            entries.append({**item, "fieldsV1": _encoded(rest)} if rest != owned else item)
    if own:
        entries.append(_entry(kind, manager, "Update", own, now))
    return _noted(new, entries)


def applied(kind: Kind, old: Object, intent: Object, manager: str, force: bool, now: str) -> Object:
    """The object after an apply. Raises 409 for a field that another manager owns with another value, unless `force`."""
    wanted = fields(kind, intent)
    entries = [item for item in _entries(old) if (item.get("manager"), item.get("operation")) != (manager, "Apply")]
    mine = next((item for item in _entries(old) if item not in entries), None)
    theirs = [(item, _decoded(item.get("fieldsV1") or {})) for item in entries]
    differs = frozenset(path for path in wanted if _leaf_differs(old, intent, path))
    if not force and (conflicts := [(item, path) for item, owned in theirs for path in sorted(owned & differs)]):
        raise _conflict(conflicts)
    kept = [(item, owned - differs) for item, owned in theirs]
    needed = _with_prefixes(wanted.union(*(owned for _, owned in kept)))
    before = _decoded((mine or {}).get("fieldsV1") or {})
    merged = _merged(old, _plain(kind, intent), _schema(kind))
    body: Object = _without(merged, _tree(path for path in before - needed), _schema(kind))
    entry = _entry(kind, manager, "Apply", wanted, now)
    if mine and mine.get("fieldsV1") == entry["fieldsV1"]:
        entry = mine
    rest = [{**item, "fieldsV1": _encoded(owned)} for item, owned in kept if owned]
    return _noted({**body, "metadata": {**old["metadata"], **body["metadata"]}}, [*rest, entry])


def fields(kind: Kind, body: Object) -> Paths:
    """The owned paths of an object."""
    return frozenset(_walk(_plain(kind, body), _schema(kind), (), ""))


def _plain(kind: Kind, body: Object) -> Object:
    """The part of an object that has owners."""
    left = {"apiVersion", "kind", "metadata", *(["status"] if kind.status else [])}
    meta = {key: body["metadata"][key] for key in OWNED if body.get("metadata", {}).get(key)}
    found = {key: value for key, value in body.items() if key not in left and value is not None}
    return {**found, **({"metadata": meta} if meta else {})}


def _schema(kind: Kind) -> Schema:
    return kind.schema


def _child(schema: Schema, name: str) -> Schema:
    """The schema of a field. Metadata has the same one in every object."""
    if schema is None or name == "metadata":
        return None
    rest = schema.get("additionalProperties")
    found: Schema = (schema.get("properties") or ANY).get(name) or (rest if isinstance(rest, dict) else ANY)
    return found


def _keys(schema: Schema, field: str, value: Any) -> list[str] | None:
    """The names of the fields that identify a list's items; empty for a set; None for a list that is one value."""
    if not isinstance(value, list):
        return None
    if schema is None:
        key = KEYS.get(field)
        if key and all(isinstance(item, dict) and key in item for item in value):
            return [key]
        return [] if field in SETS else None
    match schema.get("x-kubernetes-list-type"):
        case "map":
            return list(schema.get("x-kubernetes-list-map-keys") or ())
        case "set":
            return []
    return None


def _step(keys: list[str], item: Any) -> str:
    if not keys:
        return f"v:{json.dumps(item, separators=(',', ':'))}"
    return f"k:{json.dumps({key: item.get(key) for key in sorted(keys)}, separators=(',', ':'))}"


def _walk(value: Any, schema: Schema, path: Path, field: str) -> Iterator[Path]:
    if isinstance(value, dict) and value and not (schema and schema.get("x-kubernetes-map-type") == "atomic"):
        named = (schema or ANY).get("properties") or ANY
        for name, item in value.items():
            here = (*path, f"f:{name}")
            if path and name not in named and isinstance(item, dict | list) and item:
                yield here
            yield from _walk(item, _child(schema, name), here, name)
    elif (keys := _keys(schema, field, value)) is not None and value:
        for item in value:
            here = (*path, _step(keys, item))
            yield here
            if keys:
                yield from _walk(item, None if schema is None else (schema.get("items") or ANY), here, "")
    elif path:
        yield path


def _at(value: Any, path: Path) -> Any:
    """The value at a path; `_at` itself if there is none."""
    for step in path:
        what, _, name = step.partition(":")
        if what == "f":
            if not isinstance(value, dict) or name not in value:
                return _at
            value = value[name]
        else:
            wanted = json.loads(name)
            items = value if isinstance(value, list) else []
            found = [item for item in items if (item == wanted if what == "v" else _is(item, wanted))]
            if not found:
                return _at
            value = found[0]
    return value


def _is(item: Any, keys: Object) -> bool:
    return isinstance(item, dict) and all(item.get(key) == value for key, value in keys.items())


def _leaf_differs(one: Object, other: Object, path: Path) -> bool:
    """Whether two objects differ at a path. Values that have owned parts are compared by those parts only."""
    first, second = _at(one, path), _at(other, path)
    if path[-1].startswith(("k:", "v:")) or (isinstance(first, dict) and first and isinstance(second, dict) and second):
        return (first is _at) != (second is _at)
    return bool(first != second)


def _merged(old: Any, intent: Any, schema: Schema, field: str = "") -> Any:
    """The intent, and where it is silent the old value."""
    if isinstance(intent, dict) and isinstance(old, dict) and not (schema and schema.get("x-kubernetes-map-type")):
        result = dict(old)
        for name, value in intent.items():
            result[name] = _merged(old.get(name), value, _child(schema, name), name)
        return result
    keys = _keys(schema, field, intent)
    if keys is None or not isinstance(old, list):
        return intent
    items = {_step(keys, item): item for item in old}
    inner = None if schema is None else (schema.get("items") or ANY)
    for item in intent:
        step = _step(keys, item)
        items[step] = _merged(items.get(step), item, inner)
    return list(items.values())


def _without(value: Any, gone: Object, schema: Schema, field: str = "") -> Any:
    """The value without the paths in a tree, and without what this leaves empty."""
    if not gone:
        return value
    if isinstance(value, dict):
        result = {}
        for name, item in value.items():
            inner = gone.get(f"f:{name}")
            if inner is None:
                result[name] = item
            elif "." not in inner:
                rest = _without(item, inner, _child(schema, name), name)
                if rest or not isinstance(rest, dict | list) or name == "metadata":
                    result[name] = rest
        return result
    keys = _keys(schema, field, value)
    if keys is None:
        return value
    inner_schema = None if schema is None else (schema.get("items") or ANY)
    found = []
    for item in value:
        inner = gone.get(_step(keys, item))
        if inner is None:
            found.append(item)
        elif "." not in inner:
            found.append(_without(item, inner, inner_schema))
    return found


def _with_prefixes(paths: Iterable[Path]) -> set[Path]:
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def _tree(paths: Iterable[Path]) -> Object:
    """The paths as a tree; `.` marks the end of a path."""
    root: Object = {}
    for path in paths:
        at = root
        for step in path:
            at = at.setdefault(step, {})
        at["."] = {}
    return root


def _encoded(paths: Paths) -> Object:
    """FieldsV1: leaves are empty; `.` marks a path that ends above others."""

    def trimmed(tree: Object) -> Object:
        rest = {step: trimmed(inner) for step, inner in sorted(tree.items()) if step != "."}
        return {".": {}, **rest} if rest and "." in tree else rest

    return trimmed(_tree(paths))


def _decoded(tree: Any, path: Path = ()) -> Paths:
    found: list[Path] = []

    def walk(node: Any, path: Path) -> None:
        inner = [step for step in node if step != "."] if isinstance(node, dict) else []
        if path and (not inner or "." in node):
            found.append(path)
        for step in inner:
            walk(node[step], (*path, step))

    walk(tree, path)
    return frozenset(found)


def _entries(body: Object) -> list[Object]:
    return list(body["metadata"].get("managedFields") or ())


def _entry(kind: Kind, manager: str, operation: str, paths: Paths, now: str) -> Object:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": kind.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": _encoded(paths),
    }


def _noted(body: Object, entries: list[Object]) -> Object:
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": {**meta, **({"managedFields": entries} if entries else {})}}


def _conflict(found: list[tuple[Object, Path]]) -> StatusError:
    causes = []
    for item, path in found:
        words = f'conflict with "{item["manager"]}"'
        if item["operation"] == "Update":
            words += f" using {item['apiVersion']}"
        causes.append({"reason": "FieldManagerConflict", "message": words, "field": _shown(path)})
    noun = "conflict" if len(causes) == 1 else "conflicts"
    told = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    return StatusError(409, "Conflict", f"Apply failed with {len(causes)} {noun}: {told}", {"causes": causes})


def _shown(path: Path) -> str:
    return "".join(f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)
