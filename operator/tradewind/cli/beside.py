"""What is wrong with documents that only shows when they are looked at beside each other."""

from collections.abc import Iterator, Mapping, Sequence

from tradewind.cli.manifest import Document
from tradewind.model.pool import PoolAllow
from tradewind.plan.allow import admits, refusal
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.read import read

Key = tuple[str, str]
"""Namespace, empty where the manifest names none, and name of a DAG."""


def not_allowed(documents: Sequence[Document], dags: Mapping[Key, Definition]) -> Iterator[tuple[Document, Problem]]:
    """Claims of ClusterPools that don't allow them, as far as namespaces are named: their labels are known on the cluster only."""
    allowed = dict(_allowed(documents))
    for document in documents:
        definition = dags.get((document.namespace, document.name)) if document.kind == "DAG" else None
        for name, task in definition.tasks.items() if definition and document.namespace else ():
            for index, claim in enumerate(task.pools):
                allow = allowed.get(claim.name) if claim.kind == "ClusterPool" else None
                if allow and not allow.namespace_selector and not admits(allow, document.namespace, None):
                    words, _, instead = refusal(claim.name, document.namespace).partition(": ")
                    yield document, Problem(f"spec.tasks.{name}.pools[{index}].name", words, instead)


def _allowed(documents: Sequence[Document]) -> Iterator[tuple[str, PoolAllow]]:
    for document in documents:
        said = (
            document.spec.get("allow") if document.kind == "ClusterPool" and isinstance(document.spec, dict) else None
        )
        if said is not None:
            try:
                yield document.name, read(PoolAllow, said, "spec.allow")
            except Invalid:
                continue  # It is told of the ClusterPool itself.
