"""DAGs whose runs ask for approvals."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid

ASKERS_LIMIT = 64
"""DAGs that are read for one edit. Further ones count as asking."""


async def asking(client: Client, namespace: str, definition: Definition) -> Collection[str]:
    """Names of the DAGs run by tasks of `definition` whose runs, or their sub-DAGs, ask for approvals. A DAG that can't be read counts as
    asking. Raises other errors of the API."""
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
    """The tasks of a DAG as written; None if it can't be read."""
    try:
        rendering = await rendered(client, namespace, dag)
    except (NotFound, Forbidden, Invalid):
        return None
    tasks = None if rendering.missing else rendering.spec.get("tasks")
    return [task for task in tasks.values() if isinstance(task, dict)] if isinstance(tasks, dict) else None
