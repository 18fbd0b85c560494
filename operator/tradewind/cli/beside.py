"""What is wrong with documents that only shows when they are looked at beside each other."""

from collections.abc import Iterator, Mapping, Sequence

from tradewind.cli.document import Document
from tradewind.control.followers import topics_of
from tradewind.model.pool import PoolAllow
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.allow import admits, refusal
from tradewind.plan.circles import Graph, Topic, circle
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


def circles(
    triggers: Sequence[tuple[Document, TriggerSpec]], dags: Mapping[Key, Definition]
) -> Iterator[tuple[Document, Problem, bool]]:
    """Triggers that lead to each other in a cycle, each circle once; and whether a condition may end it."""
    specs = {(document.namespace, document.name): spec for document, spec in triggers}
    graph = _graph(specs, dags)
    told: set[frozenset[Key]] = set()
    for document, spec in triggers:
        found = circle(graph, (document.namespace, document.name)) if spec.completed or spec.assets else None
        if found and (members := frozenset(found.triggers)) not in told:
            told.add(members)
            ends = any(_conditional(specs[member]) for member in members)
            instead = "" if ends else "break it, or let a `when` of one of its triggers end it"
            yield document, Problem(f"spec.{spec.source}", str(found), instead), ends


def _graph(specs: Mapping[Key, TriggerSpec], dags: Mapping[Key, Definition]) -> Graph:
    topics = {key: frozenset(topics_of(spec, key[0])) for key, spec in specs.items()}
    followers: dict[Topic, list[Key]] = {}
    for key, followed in topics.items():
        for topic in followed:
            followers.setdefault(topic, []).append(key)

    def makes(dag: Key) -> Iterator[Topic]:
        yield "completed", dag[0], "/".join(dag)
        if definition := dags.get(dag):
            produced = [
                *definition.spec.produces,
                *(item for task in definition.tasks.values() for item in task.produces),
            ]
            yield from (("assets", dag[0], item.name) for item in produced)

    def calls(dag: Key) -> Iterator[Key]:
        for task in dags[dag].tasks.values() if dag in dags else ():
            if task.dag:
                yield dag[0], task.dag.name

    return Graph(
        dag=lambda key: (key[0], specs[key].dag),
        follows=topics.__getitem__,
        followers=lambda topic: followers.get(topic, ()),
        makes=makes,
        calls=calls,
    )


def _conditional(spec: TriggerSpec) -> bool:
    return bool(spec.when) or any(dag.when for dag in (spec.completed.dags if spec.completed else ()))
