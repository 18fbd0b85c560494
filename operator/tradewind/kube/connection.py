"""The connection to an API server: address, certificates and credentials."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its service account. Source: the Kubernetes documentation, "Accessing the API from a Pod"."""


class NoCluster(Exception):
    """There is neither a kubeconfig nor a service account."""


@dataclass(frozen=True)
class Connection:
    """An API server and credentials. `authorization` returns the header's value, again and again since tokens rotate."""

    server: str
    authorization: Callable[[], str | None] = lambda: None
    ca_path: str | None = None
    certificate_path: str | None = None
    private_key_path: str | None = None
    insecure: bool = False
    namespace: str = "default"

    def ssl(self) -> ssl.SSLContext | bool:
        """TLS settings for aiohttp."""
        if not self.server.startswith("https"):
            return True
        if self.insecure:
            return False
        context = ssl.create_default_context(cafile=self.ca_path)
        if self.certificate_path:
            context.load_cert_chain(self.certificate_path, self.private_key_path)
        return context


def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """The connection of a pod's service account, or else of the user's kubeconfig. Raises NoCluster."""
    if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ and SERVICE_ACCOUNT.exists():
        return in_cluster(SERVICE_ACCOUNT)
    return _of_kubeconfig(kubeconfig, context)


def in_cluster(folder: Path) -> Connection:
    """The connection of a service account's folder. The token is read for every request, since the kubelet rotates it."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Connection(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        authorization=lambda: f"Bearer {(folder / 'token').read_text().strip()}",
        ca_path=str(folder / "ca.crt"),
        namespace=(folder / "namespace").read_text().strip(),
    )


def _of_kubeconfig(kubeconfig: str | None, context: str | None) -> Connection:
    from tradewind.kube.credentials import Unproven
    from tradewind.kube.kubeconfig import Unusable, access  # an operator in a cluster does not need it

    try:
        found = access(kubeconfig, context)
    except (Unusable, Unproven) as error:
        words = f"no cluster to talk to ({error}): set KUBECONFIG, or run a DAG here with `tradewind run -f FILE`"
        raise NoCluster(words) from None
    return Connection(
        server=found.server,
        authorization=found.authorization,
        ca_path=found.ca_path,
        certificate_path=found.certificate_path,
        private_key_path=found.private_key_path,
        insecure=found.insecure,
        namespace=found.namespace,
    )
