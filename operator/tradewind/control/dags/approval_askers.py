"""DAGs whose runs ask for approvals."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.model import dag_name
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.parts import held
from tradewind.plan.documents.problem import Invalid

ASKERS_LIMIT = 64
"""DAGs that are read for one edit. Further ones count as asking."""


async def asking(client: Client, namespace: str, definition: Definition, home: str) -> set[str]:
    """Names of the DAGs run by tasks of `definition`, in the manifest of `home`, whose runs, or their sub-DAGs, ask for approvals. A DAG
    that can't be read counts as asking. Raises other errors of the API."""
    runs: dict[str, set[str]] = {}
    asks = set[str]()
    todo = called_dags(definition, home)
    while todo:
        name = todo.pop()
        if name in runs:
            continue
        tasks = await _tasks(client, namespace, name) if len(runs) < ASKERS_LIMIT else None
        if tasks is None or any(task.get("approval") is not None for task in tasks):
            asks.add(name)
        runs[name] = {
            _called(task["dag"], dag_name.home(name)) for task in tasks or () if isinstance(task.get("dag"), dict)
        }
        todo += runs[name]
    while more := {name for name, parts in runs.items() if name not in asks and parts & asks}:
        asks |= more
    return asks


def as_called(dags: Collection[str], home: str) -> set[str]:
    """DAGs as tasks in the manifest of `home` name them: `SubDAG.key`."""
    local = {f".{dag_name.local(dag)}" for dag in dags if dag_name.local(dag) and dag_name.home(dag) == home}
    return local.union(dags)


def _called(dag: Mapping[str, Any], home: str) -> str:
    return str(dag.get("name") or f"{home}.{dag.get('local')}")


def called_dags(definition: Definition, home: str) -> list[str]:
    """The DAGs that tasks of a definition, in the manifest of `home`, call, each once."""
    return [*dict.fromkeys(task.dag.within(home) for task in definition.tasks.values() if task.dag)]


async def _tasks(client: Client, namespace: str, dag: str) -> Iterable[Mapping[str, Any]] | None:
    """The tasks of a DAG as written; None if it can't be read."""
    try:
        rendering = await rendered(client, namespace, dag_name.home(dag))
    except (NotFound, Forbidden, Invalid):
        return None
    spec = None if rendering.missing else rendering.spec
    if local := dag_name.local(dag):
        spec = held(spec).get(local)
    tasks = spec.get("tasks") if isinstance(spec, dict) else None
    return [task for task in tasks.values() if isinstance(task, dict)] if isinstance(tasks, dict) else None
