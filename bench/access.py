"""How everything in the bench reaches a real API server: by a service account's token, as the operator in a pod does. With an
administrator's certificate the server would verify that certificate for every request, which takes a tenth of its time."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from cluster.fixtures import Cluster
from worlds.real import real
from worlds.world import World


@contextlib.contextmanager
def world_of(cluster: Cluster, namespace: str) -> Iterator[World]:
    """A fresh namespace, and a service account that may do everything."""
    with real(cluster, namespace) as world, TemporaryDirectory() as folder:
        cluster.kubectl("create", "serviceaccount", "bench", "-n", namespace)
        subject = f"--serviceaccount={namespace}:bench"
        cluster.kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", subject)
        try:
            path = Path(folder) / "kubeconfig"
            path.write_text(_with_token(world.kubeconfig, cluster, namespace))
            yield replace(world, kubeconfig=path)
        finally:
            # What is measured next must not share the server with the removal of this.
            print(f"removing namespace {namespace}", file=sys.stderr, flush=True)
            cluster.kubectl("delete", "clusterrolebinding", namespace)
            cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout=900)


def _with_token(admin: Path, cluster: Cluster, namespace: str) -> str:
    config = yaml.safe_load(admin.read_text())
    token = cluster.kubectl("create", "token", "bench", "-n", namespace, "--duration=10h").strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    return yaml.safe_dump(config)
