"""The pod of one attempt: one container, nothing injected, restricted by default."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tradewind import API_VERSION
from tradewind.control.merge import merge
from tradewind.kube.pod import ATTEMPT, DAG, MAIN, RUN, RUN_UID, TASK
from tradewind.model.duration import seconds
from tradewind.model.task import Task
from tradewind.plan.expression import ExpressionError, Scope, render, written

OUTPUTS_PATH = "/dev/termination-log"
USER = 65532
NAME_LIMIT = 63


class Unrenderable(ValueError):
    """A value of the task can't be computed. The message names the field, the expression and the problem."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a pod needs to know of its run."""

    name: str
    namespace: str
    uid: str
    dag: str
    params: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]


def pod_name(run: str, task: str, attempt: int) -> str:
    """`<run>-<task>-<attempt>`; hashed in the middle when that is too long for a host name."""
    name = f"{run}-{task}-{attempt}"
    if len(name) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(f"{run}/{task}".encode()).hexdigest()[:10]
    tail = f"-{digest}-{attempt}"
    return f"{name[: NAME_LIMIT - len(tail)].rstrip('-')}{tail}"


def _literal(text: str) -> str:
    """Text that Kubernetes' own `$(NAME)` expansion leaves as it is."""
    return text.replace("$", "$$")


class Renderer:
    """Renders the values of one attempt's task."""

    def __init__(self, task: str, scope: Scope, values: Mapping[str, Any]) -> None:
        self._path, self._scope, self._values = f"spec.tasks.{task}", scope, values

    def plain(self, field: str, text: str, write: Callable[[Any], str] = written) -> str:
        """The value with its expressions rendered. Raises Unrenderable."""
        if "$[[" not in text:
            return text
        try:
            return render(text, self._scope, self._values, write)
        except ExpressionError as error:
            raise Unrenderable(f"{self._path}.{field}: {error}") from None

    def expandable(self, field: str, text: str) -> str:
        """For fields in which `$(NAME)` is expanded later: the user's own keep that meaning, what expressions yield does not."""
        return self.plain(field, text, lambda value: _literal(written(value)))


def build(name: str, task: Task, attempt: int, run: RunFacts, scope: Scope, operator_image: str) -> bytes:
    """The manifest as JSON. Raises Unrenderable."""
    values: dict[str, Any] = {
        "run.name": run.name,
        "run.namespace": run.namespace,
        "run.uid": run.uid,
        "run.dag": run.dag,
        "run.attempt": attempt,
        **{f"params.{param}": value for param, value in run.params.items()},
        **{f"tasks.{other.replace('-', '_')}.outputs": run.outputs.get(other, {}) for other in scope.tasks},
    }
    renderer = Renderer(name, scope, values)
    labels = {RUN_UID: run.uid, RUN: run.name, DAG: run.dag, TASK: name, ATTEMPT: str(attempt)}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app.kubernetes.io/managed-by": "tradewind"}},
        "spec": _spec(task, _container(task, renderer, operator_image)),
    }
    if task.pod_template:
        pod = merge(pod, task.pod_template)
    metadata = pod["metadata"]
    metadata |= {
        "name": pod_name(run.name, name, attempt),
        "namespace": run.namespace,
        "labels": {**metadata.get("labels", {}), **labels},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": "DAGRun",
                "name": run.name,
                "uid": run.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
    pod["spec"]["restartPolicy"] = "Never"
    return orjson.dumps(pod)


def _container(task: Task, renderer: Renderer, operator_image: str) -> dict[str, Any]:
    env: list[dict[str, Any]] = [
        {"name": variable, "valueFrom": source.model_dump(exclude_none=True)}
        for variable, source in task.env_from.items()
    ]
    env += [{"name": key, "value": renderer.expandable(f"env.{key}", value)} for key, value in task.env.items()]
    env.append({"name": "TRADEWIND_OUTPUTS", "value": OUTPUTS_PATH})
    container: dict[str, Any] = {
        "name": MAIN,
        "image": operator_image if task.http else task.image,
        "env": env,
        "terminationMessagePath": OUTPUTS_PATH,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if task.script and task.script.python:
        container["command"] = ["python3", "-c", _literal(task.script.python)]
    elif task.script and task.script.shell:
        container["command"] = ["/bin/sh", "-ec", _literal(task.script.shell)]
    elif task.http:
        container["command"] = ["python3", "-m", "tradewind.tasks.http"]
        env.append({"name": "TRADEWIND_HTTP", "value": _http(task, renderer)})
    else:
        for field in ("command", "args"):
            if texts := getattr(task, field):
                container[field] = [renderer.expandable(f"{field}[{index}]", text) for index, text in enumerate(texts)]
    if task.resources:
        container["resources"] = task.resources.model_dump(exclude_defaults=True)
    return container


def _http(task: Task, renderer: Renderer) -> str:
    request = task.http
    assert request is not None  # noqa: S101 - the caller asked
    # `$(NAME)` in headers is for the program in the pod, which knows the variable; Kubernetes shall leave it alone.
    rendered = {
        "url": renderer.plain("http.url", request.url),
        "method": request.method,
        "headers": {name: renderer.expandable(f"http.headers.{name}", text) for name, text in request.headers.items()},
        "body": renderer.plain("http.body", request.body),
        "expectStatus": request.expect_status,
        "timeout": seconds(request.timeout),
    }
    return _literal(json.dumps(rendered, ensure_ascii=False))


def _spec(task: Task, container: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [container],
        "automountServiceAccountToken": bool(task.service_account_name),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if task.service_account_name:
        spec["serviceAccountName"] = task.service_account_name
    if task.node_selector:
        spec["nodeSelector"] = dict(task.node_selector)
    if task.tolerations:
        spec["tolerations"] = list(task.tolerations)
    if task.timeout:
        # The kubelet keeps the time: it goes on while the operator is away.
        spec["activeDeadlineSeconds"] = max(1, round(seconds(task.timeout)))
    return spec
