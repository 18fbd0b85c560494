"""What a run on this machine would wait for in vain: everything that it uses must be in the manifests."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from tradewind.cli.manifests.document import Document, Refusal
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.plan.documents.parts import bodies, tasks
from tradewind.plan.documents.place import Place
from tradewind.plan.expressions.literal import OPEN

WAY = "add it to the manifest, or pass its file with another -f"
REFERENCES = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
Params = Mapping[str, Any]


def missing(documents: Sequence[Document], shelf: DocumentSet, dag: str, params: Params) -> list[Refusal]:
    """Names in a DAG and its sub-DAGs without an object among the documents: DAGs, templates, Secrets, ConfigMaps,
    pools."""
    there = {(document.kind, document.name): document for document in documents}
    found: list[Refusal] = []
    for document in called(documents, shelf, dag):
        found += _without_driver(document, shelf)
        for place, kind, name, key in _named(document, shelf, params if document.name == dag else {}):
            target = there.get((kind, name))
            if target is None:
                problem = place.problem(f"there is no {kind} {name!r} among these manifests", WAY)
                found.append(document.refusal(problem))
            elif key and key not in _keys(target):
                keys = ", ".join(sorted(_keys(target))) or "none"
                problem = place.problem(f"{kind} {name!r} has no key {key!r}", f"it has: {keys}")
                found.append(document.refusal(problem))
    return found


def called(documents: Sequence[Document], shelf: DocumentSet, dag: str) -> Iterator[Document]:
    """A DAG and its sub-DAGs at any depth, as far as they are among the documents."""
    there = {document.name: document for document in documents if document.kind == "DAG"}
    seen, left = {dag}, [dag]
    while left:
        document = there[left.pop()]
        yield document
        for _, body in tasks(shelf.rendering(document).spec):
            name = body["dag"].get("name", "") if "dag" in body else ""
            if name in there and name not in seen:
                seen.add(name)
                left.append(name)


def _without_driver(document: Document, shelf: DocumentSet) -> Iterator[Refusal]:
    """Sensors that query a database although no driver is installed."""
    if find_spec("psycopg"):
        return
    rendering = shelf.rendering(document)
    for path, body in tasks(rendering.spec):
        if (body.get("sensor") or {}).get("sql"):
            place = rendering.place(f"{path}.sensor.sql")
            yield document.refusal(
                place.problem("no driver for PostgreSQL is installed", "install tradewind[postgres]")
            )


def _named(document: Document, shelf: DocumentSet, params: Params) -> Iterator[tuple[Place, str, str, str]]:
    """The place of each reference, with kind, name and, if it has one, key."""
    rendering = shelf.rendering(document)
    for ref, place in rendering.missing.items():
        yield place, ref.kind, ref.name, ""
    at = rendering.place
    spec = rendering.spec if isinstance(rendering.spec, dict) else {}
    for path, body in tasks(spec):
        if "dag" in body and "name" in body["dag"]:
            yield at(f"{path}.dag.name"), "DAG", body["dag"]["name"], ""
        if asked := (body.get("sensor") or {}).get("run"):
            yield at(f"{path}.sensor.run.dag"), "DAG", asked["dag"], ""
        for index, claim in enumerate(body.get("pools") or ()):
            if OPEN in claim["name"]:
                continue  # A run without it waits and says so.
            yield at(f"{path}.pools[{index}].name"), claim.get("kind") or "Pool", claim["name"], ""
    for name, source in (spec.get("config") or {}).items():
        yield at(f"spec.config.{name}.configMap"), "ConfigMap", str(source["configMap"]), ""
    for path, kind, reference in _references(spec, "spec"):
        yield at(path), kind, str(reference["name"]), str(reference.get("key") or "")
    for path, part in bodies(spec):
        for name, declared in (part.get("params") or {}).items():
            value = (params if path == "spec" else {}).get(name, declared.get("default"))
            if declared.get("type") == "secret" and isinstance(value, dict):
                yield at(f"{path}.params.{name}"), "Secret", str(value["name"]), str(value["key"])


def _references(data: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """References to Secrets and ConfigMaps that are not optional."""
    if isinstance(data, dict):
        for key, value in data.items():
            here = f"{path}.{key}"
            if key not in REFERENCES or not isinstance(value, dict):
                yield from _references(value, here)
            elif not value.get("optional") and "name" in value and "$[[" not in str(value):
                yield here, REFERENCES[key], value
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _references(value, f"{path}[{index}]")


def _keys(document: Document) -> set[str]:
    found: set[str] = set()
    for field in ("data", "stringData", "binaryData"):
        part = document.body.get(field)
        found.update(map(str, part) if isinstance(part, dict) else ())
    return found
