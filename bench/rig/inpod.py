"""An operator process as in a pod: it finds a service account's files where a pod has them, and reads no kubeconfig,
which would cost it another library's memory. A mount namespace of its own contains those files; the machine's are not
touched."""

import base64
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import yaml

SCRIPT = """mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && \
cp -r "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@\""""


def prefix(kubeconfig: Path, namespace: str) -> tuple[list[str], dict[str, str]]:
    """The prefix and environment of a command; empty if it can't be done, or the kubeconfig has no token."""
    config = yaml.safe_load(kubeconfig.read_text())
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    possible = os.geteuid() == 0 and shutil.which("unshare") and Path("/var/run").resolve() == Path("/run")
    if not possible or "token" not in user or not cluster["server"].startswith("https"):
        return [], {}
    folder = Path(tempfile.mkdtemp(dir=kubeconfig.parent))
    (folder / "token").write_text(user["token"])
    (folder / "namespace").write_text(namespace)
    authority = cluster.get("certificate-authority-data")
    (folder / "ca.crt").write_bytes(
        base64.b64decode(authority) if authority else Path(cluster["certificate-authority"]).read_bytes()
    )
    address = urlsplit(cluster["server"])
    env = {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port or 443)}
    return ["unshare", "--mount", "sh", "-c", SCRIPT, str(folder)], env
