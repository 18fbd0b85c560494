"""Certificates and kubeconfigs: one authority, and a client identity for each component."""

import json
from base64 import b64encode
from pathlib import Path

from cluster.settings import API_SERVICE_IP, API_URL, CLUSTER_DOMAIN, HOST_IP, NODE, NODE_IP
from cluster.shell import run

SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                f"kubernetes.default.svc.{CLUSTER_DOMAIN}")  # fmt: skip
SERVER_ADDRESSES = (API_SERVICE_IP, NODE_IP, HOST_IP, "127.0.0.1")
CLIENTS = {  # file: subject; the groups are what the built-in roles are bound to
    "admin": "/O=system:masters/CN=kubernetes-admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "coredns": "/CN=system:coredns",
    "apiserver-kubelet-client": "/O=system:masters/CN=kube-apiserver",
}


def make(folder: Path) -> None:
    """Everything under `folder`: `<name>.crt`, `<name>.key`, and `<name>.kubeconfig` for each client."""
    folder.mkdir(mode=0o700)
    for authority in ("ca", "front-proxy-ca"):
        _authority(folder, authority)
    names = ",".join([f"DNS:{name}" for name in SERVER_NAMES] + [f"IP:{address}" for address in SERVER_ADDRESSES])
    _issue(folder, "apiserver", "/CN=kube-apiserver", f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    for name, subject in CLIENTS.items():
        _issue(folder, name, subject, "extendedKeyUsage=clientAuth\n")
        _kubeconfig(folder, name)
    _issue(folder, "front-proxy-client", "/CN=front-proxy-client", "extendedKeyUsage=clientAuth\n", "front-proxy-ca")
    run("openssl", "genrsa", "-out", folder / "service-account.key", "2048")
    run("openssl", "rsa", "-in", folder / "service-account.key", "-pubout", "-out", folder / "service-account.pub")


def _authority(folder: Path, name: str) -> None:
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
        "-subj", f"/CN=tradewind-{name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt",
    )  # fmt: skip


def _issue(folder: Path, name: str, subject: str, extensions: str, authority: str = "ca") -> None:
    request, config = folder / f"{name}.csr", folder / f"{name}.ext"
    config.write_text(extensions)
    run(
        "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
        "-keyout", folder / f"{name}.key", "-out", request,
    )  # fmt: skip
    run(
        "openssl", "x509", "-req", "-in", request, "-days", "365", "-extfile", config, "-CAcreateserial",
        "-CA", folder / f"{authority}.crt", "-CAkey", folder / f"{authority}.key", "-out", folder / f"{name}.crt",
    )  # fmt: skip
    request.unlink()
    config.unlink()


def _kubeconfig(folder: Path, name: str) -> None:
    # JSON is YAML; the data is inline so that the file can be copied elsewhere.
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": NODE, "cluster": {"server": API_URL, "certificate-authority-data": _inline(folder / "ca.crt")}}
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _inline(folder / f"{name}.crt"),
                    "client-key-data": _inline(folder / f"{name}.key"),
                },
            }
        ],
        "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": name}}],
        "current-context": NODE,
    }
    file = folder / f"{name}.kubeconfig"
    file.write_text(json.dumps(document, indent=1))
    file.chmod(0o600)


def _inline(file: Path) -> str:
    return b64encode(file.read_bytes()).decode()
