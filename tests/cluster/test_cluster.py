"""What every test on a real cluster takes for granted."""

import json
from typing import Any

import pytest

from cluster.fixtures import Cluster
from cluster.shell import wait_until

pytestmark = pytest.mark.e2e

Document = dict[str, Any]

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
    "readOnlyRootFilesystem": True,
}


def pod(name: str, command: list[str], container: Document | None = None, **spec: object) -> Document:
    main = {"name": "main", "image": "python:3.11-slim", "command": command, "securityContext": RESTRICTED}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [main | (container or {})],
            **spec,
        },
    }


def apply(cluster: Cluster, namespace: str, *documents: Document) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(listed))


def logs_when_done(cluster: Cluster, namespace: str, name: str) -> str:
    def phase() -> str:
        return cluster.kubectl("get", "pod", name, "-n", namespace, "-o", "jsonpath={.status.phase}")

    wait_until(lambda: phase() in ("Succeeded", "Failed"), f"pod {name} ending", 60)
    logs = cluster.kubectl("logs", name, "-n", namespace)
    assert phase() == "Succeeded", logs
    return logs


def test_node_is_ready(cluster: Cluster) -> None:
    assert cluster.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=120s")


def test_restricted_pod_reaches_a_service_by_its_name(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    script = """
import time, urllib.request
for _ in range(60):
    try:
        print(urllib.request.urlopen("http://web", timeout=2).read().decode())
        break
    except OSError:
        time.sleep(0.25)
"""
    serve = """
import http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
http.server.HTTPServer(("", 8080), Hello).serve_forever()
"""
    service: Document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    client = pod("client", ["python3", "-c", script])
    apply(cluster, namespace, service, pod("web", ["python", "-c", serve]), client)
    assert logs_when_done(cluster, namespace, "client") == "hello\n"


def test_pod_security_refuses_a_privileged_pod(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    with pytest.raises(Exception, match="violates PodSecurity"):
        apply(cluster, namespace, pod("bad", ["true"], container={"securityContext": {"privileged": True}}))


def test_pod_asks_the_api_server_as_its_service_account(cluster: Cluster, namespace: str) -> None:
    script = """
import json, pathlib, ssl, urllib.request
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
request = urllib.request.Request(
    "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    data=json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode(),
    headers={"Authorization": "Bearer " + (account / "token").read_text(), "Content-Type": "application/json"},
)
context = ssl.create_default_context(cafile=account / "ca.crt")
print(json.load(urllib.request.urlopen(request, context=context, timeout=10))["status"]["userInfo"]["username"])
"""
    apply(cluster, namespace, pod("asker", ["python", "-c", script]))
    assert logs_when_done(cluster, namespace, "asker") == f"system:serviceaccount:{namespace}:default\n"


def test_claim_without_a_class_binds_and_keeps_data_between_pods(cluster: Cluster, namespace: str) -> None:
    claim: Document = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    writer = pod("writer", ["sh", "-c", "echo kept > /data/file"], volumes=volumes, container=mounted)
    apply(cluster, namespace, claim, writer)
    logs_when_done(cluster, namespace, "writer")
    apply(cluster, namespace, pod("reader", ["cat", "/data/file"], volumes=volumes, container=mounted))
    assert logs_when_done(cluster, namespace, "reader") == "kept\n"


def test_exec_runs_in_a_busybox_pod(cluster: Cluster, namespace: str) -> None:
    apply(cluster, namespace, pod("box", ["sleep", "60"], container={"image": "busybox:stable"}))
    cluster.kubectl("wait", "pod", "box", "-n", namespace, "--for=condition=Ready", "--timeout=120s")
    assert cluster.kubectl("exec", "box", "-n", namespace, "--", "id", "-u") == "65532\n"


@pytest.mark.disruptive
def test_up_again_changes_nothing(cluster: Cluster) -> None:
    uid = cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    assert cluster.provider.up() == cluster.kubeconfig
    assert cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") == uid


def test_requests_are_in_the_audit_log(cluster: Cluster, namespace: str) -> None:
    def mentioned() -> bool:
        return f"/api/v1/namespaces/{namespace}" in cluster.audit_log.read_text()

    wait_until(mentioned, "the audit log naming the namespace", 10)
