"""Which DAGs ask for approvals in their runs."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid

ASKERS_LIMIT = 64
"""DAGs that are read for one edit. What runs more of them counts as though it asked."""


async def asking(client: Client, namespace: str, definition: Definition) -> Collection[str]:
    """Names of the DAGs run by tasks of `definition` whose runs ask for approvals, or runs of theirs do. One that can't be read may.
    Raises what the API raises otherwise."""
    runs: dict[str, set[str]] = {}
    asks = set[str]()
    todo = [task.dag.name for task in definition.tasks.values() if task.dag]
    while todo:
        name = todo.pop()
        if name in runs:
            continue
        tasks = await _tasks(client, namespace, name) if len(runs) < ASKERS_LIMIT else None
        if tasks is None or any(task.get("approval") is not None for task in tasks):
            asks.add(name)
        runs[name] = {str(task["dag"].get("name")) for task in tasks or () if isinstance(task.get("dag"), dict)}
        todo += runs[name]
    while more := {name for name, parts in runs.items() if name not in asks and parts & asks}:
        asks |= more
    return asks


async def _tasks(client: Client, namespace: str, dag: str) -> Iterable[Mapping[str, Any]] | None:
    """The tasks of a DAG as they are written; None for one that can't be read."""
    try:
        rendering = await rendered(client, namespace, dag)
    except (NotFound, Forbidden, Invalid):
        return None
    tasks = None if rendering.missing else rendering.spec.get("tasks")
    return [task for task in tasks.values() if isinstance(task, dict)] if isinstance(tasks, dict) else None
