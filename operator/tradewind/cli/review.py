"""What is wrong with documents, taken together: a run knows its DAG's params when the DAG is among them."""

import re
from collections.abc import Iterable, Iterator

from tradewind.cli.manifest import Document, Refusal
from tradewind.control.dags import pod_problems
from tradewind.model.pool import PoolSpec
from tradewind.model.run import DAGRunSpec
from tradewind.plan.define import define
from tradewind.plan.definition import Definition
from tradewind.plan.params import resolve
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.read import read

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""What Kubernetes takes for the name of an object. Source: the Kubernetes documentation, "Object Names and IDs"."""
LONGEST = 63
"""Characters of a name: names become label values and parts of pod names."""
Key = tuple[str, str]
"""Namespace, empty where the manifest names none, and name of a DAG."""


def review(documents: Iterable[Document]) -> Iterator[Refusal]:
    """Everything that is wrong with them."""
    known: dict[Key, Definition] = {}
    runs = []
    for document in documents:
        found = list(_metadata(document))
        try:
            match document.kind:
                case "DAG":
                    known[_key(document, document.name)] = definition = define(document.body.get("spec") or {})
                    pod_problems(definition)
                case "DAGRun":
                    runs.append((document, read(DAGRunSpec, document.body.get("spec") or {})))
                case _:
                    read(PoolSpec, document.body.get("spec") or {})
        except Invalid as error:
            found += error.problems
        yield from (document.refusal(problem.path, str(problem)) for problem in found)
    for document, spec in runs:
        dag = known.get(_key(document, spec.dag))
        for problem in resolve(dag.spec.params, spec.params)[1] if dag else ():
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
