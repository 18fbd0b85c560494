"""Access of the bench to a real API server: with a service account's token, like the operator in a pod. An
administrator's certificate would be verified for every request, which takes a tenth of the server's time."""

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
    """A new namespace, and a service account with all rights."""
    with real(cluster, namespace) as world, TemporaryDirectory() as folder:
        cluster.kubectl("create", "serviceaccount", "bench", "-n", namespace)
        subject = f"--serviceaccount={namespace}:bench"
        cluster.kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", subject)
        try:
            path = Path(folder) / "kubeconfig"
            path.write_text(_with_token(world.kubeconfig, cluster, namespace))
            yield replace(world, kubeconfig=path)
        finally:
            # The removal must not compete with the next measurement.
            print(f"removing namespace {namespace}", file=sys.stderr, flush=True)
            cluster.kubectl("delete", "clusterrolebinding", namespace)
            cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout=900)


def _with_token(admin: Path, cluster: Cluster, namespace: str) -> str:
    config = yaml.safe_load(admin.read_text())
    token = cluster.kubectl("create", "token", "bench", "-n", namespace, "--duration=10h").strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    return yaml.safe_dump(config)
