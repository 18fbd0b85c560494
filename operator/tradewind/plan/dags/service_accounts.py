"""The service accounts of a DAG's pods: those whose token they get, or may get."""

from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.parts import bodies, tasks

ANY = ""
"""Stands for the account if an expression, or a template's input, decides."""
DEFAULT = "default"
"""The account of a pod that names none."""
_Found = Iterator[tuple[str, str]]


def of_dag(definition: Definition) -> dict[str, str]:
    """Service account -> the first field of the DAG that uses it."""
    found: dict[str, str] = {}
    for base, task in definition.all_tasks:
        for path, account in _of_task(base, task.service_account_name, task.pod_template):
            found.setdefault(account, path)
    return found


def of_template(spec: Any) -> dict[str, str]:
    """Service account -> the first field of the TaskTemplate or DAGTemplate that uses it."""
    spec = spec if isinstance(spec, Mapping) else {}
    found: dict[str, str] = {}
    for path, task in _tasks(spec):
        if isinstance(task, Mapping):
            for where, account in _of_task(path, task.get("serviceAccountName"), task.get("podTemplate")):
                found.setdefault(account, where)
    return found


def _tasks(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "spec.task", spec.get("task")
    if isinstance(dag := spec.get("dag"), Mapping):
        yield from ((f"{path}.defaults", body.get("defaults")) for path, body in bodies(dag, "spec.dag"))
        yield from tasks(dag, "spec.dag")


def _of_task(path: str, named: Any, template: Any) -> _Found:
    if named:
        yield f"{path}.serviceAccountName", _name(named)
    if not template:
        return
    pod = template.get("spec") if isinstance(template, Mapping) else template
    if pod is not None and not isinstance(pod, Mapping):
        yield f"{path}.podTemplate", ANY
    elif pod:
        yield from _of_pod(f"{path}.podTemplate.spec", pod, bool(named))


def _of_pod(path: str, pod: Mapping[str, Any], named: bool) -> _Found:
    for key in ("serviceAccountName", "serviceAccount"):
        if account := pod.get(key):
            named = True
            yield f"{path}.{key}", _name(account)
    if not named and pod.get("automountServiceAccountToken"):
        yield f"{path}.automountServiceAccountToken", DEFAULT
    if not named and _has_token(pod.get("volumes")):
        yield f"{path}.volumes", DEFAULT


def _name(account: Any) -> str:
    return account if isinstance(account, str) and not _is_open(account) else ANY


def _is_open(value: Any) -> bool:
    """Whether an expression decides this value."""
    return isinstance(value, str) and "$[[" in value


def _has_token(volumes: Any) -> bool:
    """Whether a volume contains a token; True if an expression decides."""
    for volume in _entries(volumes):
        projected = volume.get("projected") if isinstance(volume, Mapping) else volume
        sources = projected.get("sources") if isinstance(projected, Mapping) else projected
        for source in _entries(sources):
            if _is_open(source) or (isinstance(source, Mapping) and "serviceAccountToken" in source):
                return True
    return False


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
