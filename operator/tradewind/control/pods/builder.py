"""The pod of one attempt: a single container, restricted by default. Only artifacts add containers."""

import json
import os
from decimal import ROUND_CEILING
from typing import Any

import orjson

from tradewind.control.pods import artifact_containers
from tradewind.control.pods.labels import labels, owner, pool_labels
from tradewind.control.pods.rendering import Renderer, Unrenderable, _literal
from tradewind.control.pods.strategic_merge import merge
from tradewind.kube.pod import MAIN
from tradewind.model.artifact import Artifacts
from tradewind.model.duration import seconds
from tradewind.model.labels import reserved
from tradewind.model.quantity import parse
from tradewind.model.task import Task
from tradewind.plan.expressions.interpolation import Evaluate, secret
from tradewind.plan.pods.env_order import ordered
from tradewind.plan.runs.decision import RunFacts, Start

OUTPUTS_PATH = "/dev/termination-log"
USER = int(os.environ.get("TRADEWIND_TASK_USER", "65532") or 0)
"""The uid and gid of tasks. 0 leaves them to the cluster, as on OpenShift, where each namespace has its own range."""
UNBUFFERED = "PYTHONUNBUFFERED"
ITEM_NAME = "tradewind.dev/item-name"
"""Annotation: the item's name for display."""
SPOT_LABELS = {
    "karpenter.sh/capacity-type": ["spot"],
    "eks.amazonaws.com/capacityType": ["SPOT"],
    "cloud.google.com/gke-spot": ["true"],
    "cloud.google.com/gke-preemptible": ["true"],
    "kubernetes.azure.com/scalesetpriority": ["spot"],
}
"""Labels of nodes that can be reclaimed. Source: the documentation of Karpenter, EKS, GKE and AKS."""


def build(
    name: str,
    start: Start,
    task: Task,
    run: RunFacts,
    evaluate: Evaluate,
    operator_image: str,
    secrets: frozenset[str] = frozenset(),
    store: Artifacts | None = None,
) -> bytes:
    """The manifest of a pod called `name`, as JSON. `secrets` are the params that refer to Secrets, `store` is where artifacts are kept.
    Raises Unrenderable, NoArtifact."""
    renderer = Renderer(start.task, evaluate)
    annotations = {}
    if start.index is not None and task.for_each and task.for_each.name:
        annotations[ITEM_NAME] = renderer.plain("forEach.name", task.for_each.name)[:256]
    container = _container(task, renderer, operator_image, {name: run.params.get(name) for name in secrets})
    # First, so that the task's own variables can refer to them: $(TRADEWIND_RUN).
    container["env"] = [*_identity(run, start), *container["env"]]
    if run.logical_date:
        container["env"] += _dates(run)
    if task.resources:
        container["resources"] = _resources(task, start.ooms, renderer)
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app.kubernetes.io/managed-by": "tradewind"}},
        "spec": _spec(task, container, renderer),
    }
    if task.artifacts:
        artifact_containers.add(pod["spec"], task.artifacts, store, start, run, evaluate, operator_image)
    if task.pod_template:
        pod = _shaped(start.task, merge(pod, renderer.tree("podTemplate", task.pod_template)))
    metadata = pod["metadata"]
    metadata |= {
        "name": name,
        "namespace": run.namespace,
        "labels": {**_own(metadata.get("labels", {})), **pool_labels(start.pools), **labels(run, start)},
        "ownerReferences": [owner(run)],
    }
    metadata["annotations"] = {**_own(metadata.get("annotations", {})), **annotations}
    if not metadata["annotations"]:
        del metadata["annotations"]
    pod["spec"]["restartPolicy"] = "Never"
    if start.avoid_spot:
        _avoid_spot(pod["spec"])
    return orjson.dumps(pod)


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """A template's labels or annotations, without those that the operator uses to identify pods and the slots they hold."""
    return {name: value for name, value in given.items() if not reserved(name)}


def _identity(run: RunFacts, start: Start) -> list[dict[str, str]]:
    """Environment variables that identify the attempt to programs, for logs and file names."""
    return [
        {"name": "TRADEWIND_NAMESPACE", "value": run.namespace},
        {"name": "TRADEWIND_DAG", "value": run.dag},
        {"name": "TRADEWIND_RUN", "value": run.name},
        {"name": "TRADEWIND_TASK", "value": start.task},
        {"name": "TRADEWIND_ATTEMPT", "value": str(start.number)},
    ]


def _dates(run: RunFacts) -> list[dict[str, str]]:
    """Environment variables with the run's dates, for programs that don't receive them through an expression."""
    return [
        {"name": "TRADEWIND_LOGICAL_DATE", "value": run.logical_date},
        {"name": "TRADEWIND_INTERVAL_START", "value": run.interval_start},
        {"name": "TRADEWIND_INTERVAL_END", "value": run.interval_end},
    ]


def _shaped(task: str, pod: dict[str, Any]) -> dict[str, Any]:
    """The pod with the objects present that later steps write to."""
    for path in (("metadata",), ("metadata", "labels"), ("metadata", "annotations"), ("spec",)):
        found: Any = pod
        for step in path:
            found = found.get(step, {})
        if not isinstance(found, dict) or (len(path) == 1 and path[0] not in pod):
            raise Unrenderable(f"spec.tasks.{task}.podTemplate.{'.'.join(path)}: not an object; write it as in a pod")
    return pod


def _container(task: Task, renderer: Renderer, operator_image: str, secrets: dict[str, Any]) -> dict[str, Any]:
    env: list[dict[str, Any]] = [
        {"name": variable, "valueFrom": source.model_dump(exclude_none=True)}
        for variable, source in task.env_from.items()
    ]
    for variable in ordered(task.env):
        text = task.env[variable]
        if given := secret(text, secrets):
            env.append({"name": variable, "valueFrom": {"secretKeyRef": secrets[given]}})
        else:
            env.append({"name": variable, "value": renderer.variable(f"env.{variable}", text)})
    env.append({"name": "TRADEWIND_OUTPUTS", "value": OUTPUTS_PATH})
    container: dict[str, Any] = {
        "name": MAIN,
        "image": operator_image if task.http else renderer.plain("image", task.image),
        "env": env,
        "terminationMessagePath": OUTPUTS_PATH,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if task.script and task.script.python:
        container["command"] = ["python3", "-c", _literal(task.script.python)]
        if all(item["name"] != UNBUFFERED for item in env):
            env.append({"name": UNBUFFERED, "value": "1"})  # Shows a program's output in the log before its traceback.
    elif task.script and task.script.shell:
        container["command"] = ["/bin/sh", "-ec", _literal(task.script.shell)]
    elif task.http:
        container["command"] = ["python3", "-m", "tradewind.tasks.http"]
        env.append({"name": "TRADEWIND_HTTP", "value": _http(task, renderer)})
    else:
        for field in ("command", "args"):
            if texts := getattr(task, field):
                container[field] = [renderer.variable(f"{field}[{index}]", text) for index, text in enumerate(texts)]
    return container


def _resources(task: Task, ooms: int, renderer: Renderer) -> dict[str, Any]:
    """The resources, with more memory after attempts that ran out of it."""
    assert task.resources is not None  # noqa: S101 - the caller checked
    found: dict[str, Any] = renderer.tree("resources", task.resources.model_dump(exclude_defaults=True))
    rule = task.retries.on_oom if task.retries else None
    if rule is None or not ooms:
        return found
    try:
        most = parse(rule.max)
        for kind in ("limits", "requests"):
            if memory := found.get(kind, {}).get("memory"):
                raised = min(parse(memory) * parse(str(rule.memory_factor)) ** ooms, max(most, parse(memory)))
                found[kind]["memory"] = f"{(raised / 2**20).to_integral_value(ROUND_CEILING)}Mi"
    except ValueError as error:
        raise Unrenderable(f"resources: {error}") from None
    return found


def _avoid_spot(spec: dict[str, Any]) -> None:
    """Keeps the pod off nodes that can be reclaimed, in every alternative that its own node affinity allows."""
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    rules = [{"key": label, "operator": "NotIn", "values": values} for label, values in SPOT_LABELS.items()]
    terms = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*term.get("matchExpressions", []), *rules]} for term in terms
    ]


def _http(task: Task, renderer: Renderer) -> str:
    request = task.http
    assert request is not None  # noqa: S101 - the caller checked
    # The program in the pod expands `$(NAME)` in headers and has the variables; Kubernetes must leave it alone.
    rendered = {
        "url": renderer.plain("http.url", request.url),
        "method": request.method,
        "headers": {name: renderer.expandable(f"http.headers.{name}", text) for name, text in request.headers.items()},
        "body": renderer.plain("http.body", request.body),
        "expectStatus": request.expect_status,
        "timeout": seconds(request.timeout),
    }
    return _literal(json.dumps(rendered, ensure_ascii=False))


def _spec(task: Task, container: dict[str, Any], renderer: Renderer) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [container],
        "automountServiceAccountToken": bool(task.service_account_name),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            **({"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER} if USER else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if task.service_account_name:
        spec["serviceAccountName"] = task.service_account_name
    if task.node_selector:
        spec["nodeSelector"] = renderer.tree("nodeSelector", dict(task.node_selector))
    if task.tolerations:
        spec["tolerations"] = list(task.tolerations)
    if task.grace_period:
        spec["terminationGracePeriodSeconds"] = max(1, round(seconds(task.grace_period)))
    if task.timeout:
        # The kubelet enforces the timeout: it also holds while the operator is down.
        spec["activeDeadlineSeconds"] = max(1, round(seconds(task.timeout)))
    return spec
