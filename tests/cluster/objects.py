"""What a fresh cluster must contain before anything else: DNS service, storage class, volumes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from cluster.settings import DNS_SERVICE_IP, NODE, NODE_IP, VOLUMES

Kubectl = Callable[..., str]


def bootstrap(volumes: Path) -> list[dict[str, object]]:
    """The objects, for one `kubectl apply`."""
    return [*_dns(), _storage_class(), *(_volume(volumes, number) for number in range(VOLUMES))]


def recycle(kubectl: Kubectl, volumes: Path) -> int:
    """Empty the volumes whose claims are gone and offer them again, as a provisioner would."""
    listed = json.loads(kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    used = [
        item["metadata"]["name"] for item in listed if item.get("status", {}).get("phase") in ("Released", "Failed")
    ]
    ours = [name for name in used if name in {f"local-{number:02}" for number in range(VOLUMES)}]
    if ours:
        kubectl("delete", "persistentvolume", *ours)
        fresh = [_volume(volumes, int(name.removeprefix("local-"))) for name in ours]
        kubectl("apply", "-f", "-", input=as_list(fresh))
    return len(ours)


def as_list(items: list[dict[str, object]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _dns() -> list[dict[str, object]]:
    # coredns runs beside the kubelet, not in a pod: a service without a selector leads to it.
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    metadata = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
         "spec": {"clusterIP": DNS_SERVICE_IP, "ports": ports}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kube-dns"}},
         "addressType": "IPv4", "ports": ports, "endpoints": [{"addresses": [NODE_IP]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:coredns"},
         "rules": [
             {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
             {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
         ]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "system:coredns"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
         "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}]},
    ]  # fmt: skip


def _storage_class() -> dict[str, object]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(volumes: Path, number: int) -> dict[str, object]:
    """The object, and its empty folder, which any user in a container may write."""
    folder = volumes / f"{number:02}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"local-{number:02}"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "standard",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }
