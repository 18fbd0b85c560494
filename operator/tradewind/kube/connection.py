"""How to reach an API server: address, certificates and credentials."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import kopf
from kubernetes import config
from kubernetes.client import Configuration

IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoCluster(Exception):
    """Neither a kubeconfig nor a service account says where a cluster is."""


@dataclass(frozen=True)
class Connection:
    """An API server and how to be let in. `authorization` gives the header's value and is asked for every request, since
    tokens rotate."""

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

    def for_kopf(self) -> kopf.ConnectionInfo:
        """The same, in kopf's words."""
        scheme, _, token = (self.authorization() or "").partition(" ")
        return kopf.ConnectionInfo(
            server=self.server,
            ca_path=self.ca_path,
            certificate_path=self.certificate_path,
            private_key_path=self.private_key_path,
            insecure=self.insecure or None,
            scheme=scheme or None,
            token=token or None,
            default_namespace=self.namespace,
        )


def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """The connection that a pod's service account gives, else the user's kubeconfig. Raises NoCluster."""
    settings = Configuration()
    if kubeconfig is None and context is None and IN_CLUSTER_NAMESPACE.exists():
        config.load_incluster_config(client_configuration=settings)
        namespace = IN_CLUSTER_NAMESPACE.read_text().strip()
    else:
        try:
            config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=settings)
            namespace = _namespace(kubeconfig, context)
        except (config.ConfigException, FileNotFoundError) as error:
            raise NoCluster(
                f"no cluster to talk to ({error}): set KUBECONFIG, or run a DAG here with `tradewind run -f FILE`"
            ) from None

    def authorization() -> str | None:
        # The hook behind this call re-reads a rotated token from its file.
        return settings.get_api_key_with_prefix("authorization") or settings.get_api_key_with_prefix("BearerToken")

    return Connection(
        server=settings.host.rstrip("/"),
        authorization=authorization,
        ca_path=settings.ssl_ca_cert,
        certificate_path=settings.cert_file,
        private_key_path=settings.key_file,
        insecure=not settings.verify_ssl,
        namespace=namespace,
    )


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str(chosen.get("context", {}).get("namespace") or "default")
