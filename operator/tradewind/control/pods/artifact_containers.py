"""The containers that a task with artifacts adds to its pod: one fetches inputs before the task, a sidecar stores outputs after it."""

import json
from collections.abc import Iterator
from typing import Any

from tradewind.control.pods.rendering import Renderer
from tradewind.kube.pod import FETCH, STORE
from tradewind.model.artifact import MAX_SIZE, ArtifactInput, Artifacts, Store, TaskArtifacts
from tradewind.model.duration import seconds
from tradewind.model.quantity import parse
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.artifacts import KEY, source
from tradewind.plan.expressions.interpolation import Evaluate
from tradewind.plan.expressions.spelling import path as written_path
from tradewind.plan.runs.decision import RunFacts, Start

SHARED, VOLUME = "tradewind-artifacts", "tradewind-store"
"""Volumes of the pod: the folder shared by all its containers, and the store if it is a claim."""
FOLDER, MOUNT, VOLUME_MOUNT = "/tradewind/artifacts", "/tradewind", "/tradewind-store"
MESSAGE_PATH = "/dev/termination-log"
PROGRAM = ["python3", "-m", "tradewind.tasks.artifacts"]
IN_TIME = ["/bin/sh", "-c", 'until [ -s "$TRADEWIND_MESSAGE" ]; do sleep 0.05; done']
"""Delays the task's container until the sidecar can receive the signal that the task has ended."""
ARTIFACTS_TEXT_LIMIT = 100_000
"""Bytes of references that fit into an environment variable; Linux allows 128 KiB."""
_REFERENCE = {"uri": str, "size": int, "sha256": str, "type": str}
RESOURCES = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}


class NoArtifact(ValueError):
    """A task upstream made no such artifact. The message names the field and the task."""


def add(
    spec: dict[str, Any],
    task: TaskArtifacts,
    dag: Artifacts | None,
    start: Start,
    run: RunFacts,
    evaluate: Evaluate,
    image: str,
) -> None:
    """Adds the containers and volumes for artifacts to a pod's spec. Without a store in the DAG there are only inputs from elsewhere.
    Raises NoArtifact, Unrenderable."""
    store = dag.store if dag else None
    main = spec["containers"][0]
    main["env"].append({"name": "TRADEWIND_ARTIFACTS", "value": FOLDER})
    main["volumeMounts"] = [{"name": SHARED, "mountPath": MOUNT}]
    spec["volumes"] = [{"name": SHARED, "emptyDir": {}}]
    if store and (volume := store.volume):
        spec["volumes"].append({"name": VOLUME, "persistentVolumeClaim": {"claimName": volume.claim_name}})
    spec["initContainers"] = []
    if task.inputs:
        wanted = json.dumps(inputs(task, start, evaluate), separators=(",", ":"), ensure_ascii=False)
        if len(wanted.encode()) > ARTIFACTS_TEXT_LIMIT:
            raise NoArtifact(
                f"spec.tasks.{start.task}.artifacts.inputs: too many: their references are over {ARTIFACTS_TEXT_LIMIT} bytes; put the files of "
                "several items into one artifact"
            )
        env = {"name": "TRADEWIND_INPUTS", "value": wanted.replace("$", "$$")}
        spec["initContainers"].append(_container(FETCH, "fetch", env, store, image))
    if dag and task.outputs:
        folder = f"{run.namespace}/{run.dag}"
        item = f"{start.task}/{start.index}" if start.index is not None else start.task
        work: dict[str, Any] = {
            "prefix": f"{folder}/{run.name}-{run.uid[:8]}/{item}/{start.number}",
            "outputs": {name: output.path for name, output in task.outputs.items()},
        }
        if dag.expire_after:
            work |= {"all": f"{folder}/", "expireAfter": seconds(dag.expire_after)}
        env = {"name": "TRADEWIND_OUTPUTS_TO_STORE", "value": json.dumps(work, separators=(",", ":"))}
        spec["initContainers"].append(
            {
                **_container(STORE, "store", env, store, image),
                "restartPolicy": "Always",
                "lifecycle": {"postStart": {"exec": {"command": IN_TIME}}},
            }
        )
        # The kubelet gives a sidecar this long after the task's own container has ended.
        spec["terminationGracePeriodSeconds"] = max(
            spec.get("terminationGracePeriodSeconds", 30), round(seconds(dag.upload_timeout))
        )


def inputs(task: TaskArtifacts, start: Start, evaluate: Evaluate) -> list[dict[str, Any]]:
    """The artifacts to fetch, from where, and their destinations. Raises NoArtifact, Unrenderable."""
    found: list[dict[str, Any]] = []
    renderer = Renderer(start.task, evaluate)
    for name, wanted in task.inputs.items():
        field = f"artifacts.inputs.{name}"
        path = f"spec.tasks.{start.task}.{field}"
        if wanted.from_:
            found += _upstream(name, wanted, path, evaluate)
        elif wanted.reference:
            reference = _reference(wanted, f"{path}.reference", evaluate)
            found += [{"name": name, "path": wanted.path, "artifact": reference}] if reference else []
        elif wanted.text is not None:
            text = renderer.plain(f"{field}.text", wanted.text)
            if len(text.encode(errors="replace")) > ARTIFACTS_TEXT_LIMIT:
                what = f"{path}.text: it is over {ARTIFACTS_TEXT_LIMIT} bytes once rendered"
                raise NoArtifact(f"{what}; let a task write it, and hand it over as an artifact")
            found.append({"name": name, "path": wanted.path, "text": text})
        else:
            kind = "key" if wanted.key else "url"
            place = renderer.plain(f"{field}.{kind}", getattr(wanted, kind))
            more: dict[str, Any] = {"sha256": wanted.sha256, "unpack": wanted.unpack, "optional": wanted.optional}
            if wanted.max_size != MAX_SIZE and (wanted.unpack or kind == "url"):
                more["maxSize"] = int(parse(wanted.max_size))
            found.append({"name": name, "path": wanted.path, kind: place, **{k: v for k, v in more.items() if v}})
    return found


def _upstream(name: str, wanted: ArtifactInput, path: str, evaluate: Evaluate) -> Iterator[dict[str, Any]]:
    maker, artifact = source(wanted.from_ or "")
    try:
        outputs = evaluate(f"{written_path('tasks', maker)}.outputs")
    except ExpressionError as error:
        raise NoArtifact(f"{path}.from: {error}") from None
    many = isinstance(outputs, list)
    for index, item in enumerate(outputs if many else [outputs]):
        reference = ((item or {}).get(KEY) or {}).get(artifact)
        if reference is None:
            if wanted.optional:
                continue
            which = f"{maker}[{index}]" if many else maker
            raise NoArtifact(
                f"{path}.from: {which} made no artifact {artifact!r}: it did not succeed; write `optional: true` to continue without it"
            )
        place = f"{wanted.path}/{index}" if many else wanted.path
        yield {"name": name, "path": place, "artifact": reference}


def _reference(wanted: ArtifactInput, path: str, evaluate: Evaluate) -> dict[str, Any] | None:
    """The value of `reference`; None if there is none, and none is needed."""
    try:
        found = evaluate(wanted.reference)
    except ExpressionError as error:
        raise NoArtifact(f"{path}: {error}") from None
    if found is None and wanted.optional:
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), kind) for key, kind in _REFERENCE.items()):
        raise NoArtifact(
            f"{path}: not the reference of an artifact, which has uri, size, sha256 and type: write one such as "
            "tasks.NAME.outputs.artifacts.ARTIFACT, or a param that holds it"
        )
    return {key: found[key] for key in _REFERENCE}


def _container(name: str, command: str, work: dict[str, str], store: Store | None, image: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "command": [*PROGRAM, command],
        "env": [
            {"name": "TRADEWIND_ARTIFACTS", "value": FOLDER},
            {"name": "TRADEWIND_MESSAGE", "value": MESSAGE_PATH},
            work,
            *(_store_env(store) if store else ()),
        ],
        "terminationMessagePath": MESSAGE_PATH,
        "resources": RESOURCES,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": SHARED, "mountPath": MOUNT}],
    }
    if store and store.volume:
        mount: dict[str, Any] = {"name": VOLUME, "mountPath": VOLUME_MOUNT}
        container["volumeMounts"].append({**mount, "readOnly": True} if name == FETCH else mount)
    return container


def _store_env(store: Store) -> list[dict[str, Any]]:
    if volume := store.volume:
        about = {"claim": volume.claim_name, "path": volume.path}
        return [
            {"name": "TRADEWIND_STORE", "value": json.dumps(about)},
            {"name": "TRADEWIND_VOLUME", "value": VOLUME_MOUNT},
        ]
    bucket = store.s3
    assert bucket is not None  # noqa: S101 - a store is a bucket or a claim
    about = {"endpoint": bucket.endpoint, "bucket": bucket.bucket, "prefix": bucket.prefix, "region": bucket.region}
    keys = {"TRADEWIND_ACCESS_KEY": "accessKey", "TRADEWIND_SECRET_KEY": "secretKey"}
    return [
        {"name": "TRADEWIND_STORE", "value": json.dumps(about)},
        *(
            {"name": variable, "valueFrom": {"secretKeyRef": {"name": bucket.secret_name, "key": key}}}
            for variable, key in keys.items()
        ),
    ]
