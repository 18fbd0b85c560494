"""A world on a cluster: a namespace with a volume that all tasks mount at /work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from worlds import accounts
from worlds.world import World

CRDS = Path(__file__).parents[2] / "crds"
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "work"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
}
SETTINGS = {
    "podTemplate": {
        "spec": {
            "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": "work"}}],
            "containers": [{"name": "main", "volumeMounts": [{"name": "work", "mountPath": "/work"}]}],
        }
    }
}


@contextmanager
def real(cluster: Any, namespace: str) -> Iterator[World]:
    """A fresh namespace, deleted afterwards without waiting. Its operators work under the chart's accounts."""
    # Only the project's own: other tests' definitions come and go meanwhile.
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(CRDS), "--timeout=120s")
    cluster.recycle_volumes()
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=yaml.safe_dump(CLAIM))
    try:
        with TemporaryDirectory() as folder:
            operators = accounts.install(cluster, namespace, Path(folder))
            yield World("real", Path(cluster.kubeconfig), namespace, "/work", SETTINGS, operators)
    finally:
        accounts.remove(cluster, namespace)
        cluster.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
