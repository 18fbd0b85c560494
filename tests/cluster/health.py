"""Whether the parts of a self-made cluster answer."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from cluster.settings import API_URL, NODE, NODE_IP
from cluster.shell import ClusterError, run

Check = Callable[[], bool]


def api_ready(state: Path) -> bool:
    return _get(state, "/readyz") == b"ok"


def node_ready(state: Path) -> bool:
    answer = _get(state, f"/api/v1/nodes/{NODE}")
    conditions = json.loads(answer)["status"].get("conditions", []) if answer else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def pods_possible(state: Path) -> bool:
    """The admission of pods needs a service account, which a controller makes."""
    return _get(state, "/api/v1/namespaces/default/serviceaccounts/default") is not None


def dns_ready() -> bool:
    return _fetch(urllib.request.Request(f"http://{NODE_IP}:8181/ready"), None) is not None


def proxy_ready() -> bool:
    return _fetch(urllib.request.Request(f"http://{NODE_IP}:10256/healthz"), None) is not None


def kubelet_ready() -> bool:
    """The kubelet itself: what the API server says of the node may be from before a restart."""
    return _fetch(urllib.request.Request(f"http://{NODE_IP}:10248/healthz"), None) is not None


def all_ready(state: Path) -> bool:
    of_node = containerd_ready(state / "containerd.sock") and kubelet_ready() and dns_ready() and proxy_ready()
    return of_node and api_ready(state) and node_ready(state) and pods_possible(state)


def containerd_ready(socket: Path) -> bool:
    try:
        run("ctr", f"--address={socket}", "version", timeout=5)
    except ClusterError:
        return False
    return True


def _get(state: Path, path: str) -> bytes | None:
    pki = state / "pki"
    try:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    except OSError:
        return None
    return _fetch(urllib.request.Request(API_URL + path), context)


def _fetch(request: urllib.request.Request, context: ssl.SSLContext | None) -> bytes | None:
    """The body of a good answer. Never by way of a proxy: the node is on this machine."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=3) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None
