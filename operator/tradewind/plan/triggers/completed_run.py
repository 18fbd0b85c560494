"""Ends of runs of other DAGs: which DAGs a trigger follows, when it fires, and what its expressions can use."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tradewind.model.completed_run import Completed, FollowedDAG
from tradewind.plan.cel.compiler import Variables
from tradewind.plan.documents.problem import Problem

_STRINGS = ("dag", "namespace", "run", "uid", "outcome", "logicalDate", "startedAt", "finishedAt")
_OBJECTS = ("params", "results", "outputs")
VARIABLES: Variables = (
    *((f"source.{name}", "string") for name in _STRINGS),
    *((f"source.{name}", "object") for name in _OBJECTS),
    ("sources", "object"),
)
"""`source` is the run that completed the condition; `sources` has those of all DAGs, by name, or by namespace/name for
other namespaces."""
EVERYONE = "*"


def source_of(dag: FollowedDAG, namespace: str) -> str:
    """A DAG as statuses name it: namespace/name."""
    return f"{dag.namespace or namespace}/{dag.name}"


def follows(spec: Completed, namespace: str) -> dict[str, FollowedDAG]:
    """The DAGs that a trigger of a namespace follows."""
    return {source_of(dag, namespace): dag for dag in spec.dags}


def complete(spec: Completed, had: Collection[str]) -> bool:
    """Whether enough of the DAGs had a run that counts."""
    return len(had) >= (spec.at_least or len(spec.dags))


def may_follow(allowed: Collection[str], owner: str, namespace: str) -> bool:
    """Whether triggers of a namespace may follow a DAG of the namespace `owner`, whose spec.allowTriggersFrom is
    `allowed`."""
    return owner == namespace or namespace in allowed or EVERYONE in allowed


def refusal(index: int, dag: FollowedDAG, namespace: str) -> str:
    """A message about a DAG that a trigger can't follow. It does not reveal whether the DAG exists in a namespace that
    the author may not see."""
    where = f"spec.completed.dags[{index}]"
    if (dag.namespace or namespace) == namespace:
        return f"{where}: there is no DAG {dag.name!r} in namespace {namespace}"
    return (
        f"{where}: namespace {dag.namespace} has no DAG {dag.name!r} that allows triggers from namespace {namespace}: its"
        f" spec.allowTriggersFrom would have to name it"
    )


def check(own: str, spec: Completed) -> Iterator[Problem]:
    """What is wrong with the DAGs that a trigger of the DAG `own` follows."""
    seen = set()
    for index, dag in enumerate(spec.dags):
        path = f"spec.completed.dags[{index}]"
        if (dag.namespace, dag.name) in seen:
            found = Problem(path, f"{dag.name!r} is there twice", "list each DAG once, with all its outcomes")
            yield found.resting(f"{path}.name", f"{path}.namespace")
        seen.add((dag.namespace, dag.name))
        if not dag.namespace and dag.name == own:
            what = "a DAG whose runs start others of it would never stop"
            yield Problem(f"{path}.name", what, "use a loop, or a schedule with concurrency: Forbid").resting(
                "spec.dag", f"{path}.namespace"
            )
    if spec.at_least and spec.at_least > len(spec.dags):
        found = Problem("spec.completed.atLeast", f"is larger than the number of dags, {len(spec.dags)}", "")
        yield found.resting("spec.completed.dags")


def values(source: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values, by the names of VARIABLES."""
    return {**{f"source.{name}": source[name] for name in (*_STRINGS, *_OBJECTS)}, "sources": sources}
