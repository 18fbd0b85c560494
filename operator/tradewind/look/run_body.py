"""A run that a person starts, as a manifest."""

from collections.abc import Mapping
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Object
from tradewind.kube.labels import DAG, HOW, MANUAL


def run_body(dag: str, params: Mapping[str, Any], name: str = "") -> Object:
    """A DAGRun."""
    metadata: Object = {"name": name} if name else {"generateName": f"{dag[:57]}-"}
    metadata["labels"] = {DAG: dag, HOW: MANUAL}
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "metadata": metadata,
        "spec": {"dag": dag, "params": dict(params)},
    }
