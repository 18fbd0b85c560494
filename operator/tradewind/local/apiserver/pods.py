"""Pods: defaults and validation."""

import re
from collections.abc import Iterator
from typing import Any

from tradewind.kube.client import Object
from tradewind.local.apiserver.errors import Cause

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
QUANTITY = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def defaulted(body: Object) -> Object:
    """The pod with the fields that the API server and its admission fill in."""
    spec = dict(body.get("spec") or {})
    for key, value in {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
    }.items():
        spec.setdefault(key, value)
    spec["containers"] = _containers(spec.get("containers"))
    if "initContainers" in spec:
        spec["initContainers"] = _containers(spec["initContainers"])
    status = {"phase": "Pending", "qosClass": "BestEffort", **(body.get("status") or {})}
    return {**body, "spec": spec, "status": status}


def _containers(items: Any) -> list[Any]:
    return [
        {
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "Always"
            if str(item.get("image", "")).endswith(":latest") or ":" not in str(item.get("image", ""))
            else "IfNotPresent",
            "resources": {},
            **item,
        }
        if isinstance(item, dict)
        else item
        for item in items or []
    ]


def problems(body: Object) -> Iterator[Cause]:
    """What is wrong with a pod."""
    spec = body.get("spec") or {}
    containers = spec.get("containers") or []
    if not containers:
        yield Cause.required("spec.containers")
    seen: set[str] = set()
    for index, item in enumerate(containers):
        path = f"spec.containers[{index}]"
        name = item.get("name") or ""
        if not name:
            yield Cause.required(f"{path}.name")
        elif not LABEL.fullmatch(name) or len(name) > 63:
            yield Cause.invalid(f"{path}.name", f'"{name}"', LABEL_RULE)
        elif name in seen:
            yield Cause("FieldValueDuplicate", f"{path}.name", f'Duplicate value: "{name}"')
        seen.add(name)
        if not item.get("image"):
            yield Cause.required(f"{path}.image")
        yield from _container(item, path, {volume.get("name") for volume in spec.get("volumes") or []})
    if spec.get("restartPolicy") not in (None, "Always", "OnFailure", "Never"):
        supported = 'supported values: "Always", "OnFailure", "Never"'
        yield Cause(
            "FieldValueNotSupported", "spec.restartPolicy", f'Unsupported value: "{spec["restartPolicy"]}": {supported}'
        )


def _container(item: Object, path: str, volumes: set[Any]) -> Iterator[Cause]:
    for index, variable in enumerate(item.get("env") or []):
        if not variable.get("name"):
            yield Cause.required(f"{path}.env[{index}].name")
    for section in ("limits", "requests"):
        for resource, amount in ((item.get("resources") or {}).get(section) or {}).items():
            if not QUANTITY.fullmatch(str(amount)):
                yield Cause.invalid(
                    f"{path}.resources.{section}[{resource}]", f'"{amount}"', "must be a quantity such as 500m or 1Gi"
                )
    for index, mount in enumerate(item.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            yield Cause("FieldValueNotFound", f"{path}.volumeMounts[{index}].name", f'Not found: "{mount.get("name")}"')
        for field in ("subPath", "subPathExpr"):
            where, path_in = (
                f"{path}.volumeMounts.{field}",
                str(mount.get(field) or ""),
            )  # Kubernetes names no index here
            if path_in.startswith("/"):
                yield Cause.invalid(where, f'"{path_in}"', "must be a relative path")
            if ".." in path_in.split("/"):
                yield Cause.invalid(where, f'"{path_in}"', "must not contain '..'")


MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def changed(old: Object, new: Object) -> Iterator[Cause]:
    """Forbidden changes: an update may touch little of a pod's spec."""

    def fixed(body: Object) -> Object:
        spec = {key: value for key, value in body["spec"].items() if key not in MUTABLE}
        spec["containers"] = [{**item, "image": ""} for item in spec["containers"]]
        return spec

    if fixed(old) != fixed(new):
        allowed = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield Cause("FieldValueForbidden", "spec", f"Forbidden: {allowed}")
