"""The fields that a pod may have are those of the Kubernetes API, as in its Python client."""

import os
import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from kubernetes.client import V1Pod
from tradewind.plan.pods import fields as podfields
from tradewind.plan.pods.fields import unknown_fields


def model(kind: Any) -> Any:
    """The model of a field, or of its items; None if it may be anything."""
    while get_args(kind) and get_origin(kind) is not dict:
        kind = next(option for option in get_args(kind) if option is not type(None))
    return kind if hasattr(kind, "model_fields") else None


def name(kind: Any) -> str:
    return str(kind.__name__).removeprefix("V1")


def table() -> str:
    """All types within a pod, one per line, with their fields and the types of these."""
    found: dict[str, str] = {}
    todo = [V1Pod]
    while todo:
        kind = todo.pop()
        if name(kind) in found:
            continue
        fields = {field.serialization_alias or key: model(field.annotation) for key, field in kind.model_fields.items()}
        words = (
            f"{key}={name(within)}" if within else key
            for key, within in sorted(fields.items(), key=lambda item: item[0])
        )
        found[name(kind)] = f"{name(kind)}: {' '.join(words)}"
        todo += filter(None, fields.values())
    return "\n".join(found[kind] for kind in sorted(found))


def test_the_table_is_that_of_the_api() -> None:
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path = Path(podfields.__file__)
        path.write_text(re.sub(r'(?s)(TABLE = """\\\n).*?(\n""")', rf"\g<1>{table()}\g<2>", path.read_text()))
    assert table() == podfields.TABLE.rstrip(), "run `make snapshots` after an upgrade of the client"


@pytest.mark.parametrize(
    ("pod", "unknown"),
    [
        ({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "labels": {"any": "thing"}}}, []),
        ({"spec": {"container": []}}, ["spec.container"]),
        ({"spec": {"containers": [{"name": "a"}, {"image": "x", "resource": {}}]}}, ["spec.containers[1].resource"]),
        (
            {"spec": {"containers": [{"resources": {"limits": {"example.com/gpu": 1}, "limit": {}}}]}},
            ["spec.containers[0].resources.limit"],
        ),
        (
            {"spec": {"nodeSelector": {"any": "thing"}, "affinity": {"nodeAffinity": {"x": 1}}}},
            ["spec.affinity.nodeAffinity.x"],
        ),
        ({"spec": "no object", "stat": {}}, ["stat"]),
        ({"spec": {"containers": {"name": "no list"}}}, []),
    ],
)
def test_what_a_pod_does_not_have_is_named_by_its_path(pod: dict[str, Any], unknown: list[str]) -> None:
    assert list(unknown_fields(pod)) == unknown
