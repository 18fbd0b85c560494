"""What is wrong with documents, taken together: a run knows its DAG's params when the DAG is among them."""

import re
from collections.abc import Iterable, Iterator

from tradewind.cli.manifest import Document, Refusal
from tradewind.control.review import against
from tradewind.control.review import review as reviewed
from tradewind.model.run import DAGRunSpec
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Problem

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""What Kubernetes takes for the name of an object. Source: the Kubernetes documentation, "Object Names and IDs"."""
LONGEST = 63
"""Characters of a name: names become label values and parts of pod names."""
Key = tuple[str, str]
"""Namespace, empty where the manifest names none, and name of a DAG."""


def review(documents: Iterable[Document]) -> Iterator[Refusal]:
    """Everything that is wrong with them."""
    known: dict[Key, Definition] = {}
    runs: list[tuple[Document, DAGRunSpec]] = []
    for document in documents:
        result = reviewed(document.kind, document.body.get("spec") or {})
        match result.content:
            case Definition() as definition:
                known[_key(document, document.name)] = definition
            case DAGRunSpec() as spec:
                runs.append((document, spec))
        found = [*_metadata(document), *result.problems]
        yield from (document.refusal(problem.path, str(problem)) for problem in found)
    for document, spec in runs:
        dag = known.get(_key(document, spec.dag))
        for problem in against(dag.spec.params, spec) if dag else ():
            yield document.refusal(problem.path, str(problem))


def _key(document: Document, name: str) -> Key:
    return str(document.body["metadata"].get("namespace") or ""), name


def _metadata(document: Document) -> Iterator[Problem]:
    """Fields beside metadata and spec, and the object's name."""
    for field in document.body.keys() - {"apiVersion", "kind", "metadata", "spec", "status"}:
        yield Problem(str(field), "unknown field", "an object has apiVersion, kind, metadata and spec")
    field = "name" if document.body["metadata"].get("name") else "generateName"
    name = document.name if field == "name" else document.name.removesuffix("-")
    if not SUBDOMAIN.fullmatch(name):
        words = "use lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
        yield Problem(f"metadata.{field}", "not a name", words)
    elif len(document.name) > LONGEST:
        yield Problem(f"metadata.{field}", f"{len(document.name)} characters", f"use at most {LONGEST}")
