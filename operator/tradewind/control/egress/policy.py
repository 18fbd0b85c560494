"""What an operator may do itself for tasks without pods."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tradewind.model.podless import LONGEST

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Whether the operator may send `requests`, and read the `secrets` and ConfigMaps that requests refer to; `allowed` are networks that
    are otherwise forbidden. What the operator may not do is done from pods."""

    requests: bool = True
    services: bool = True
    """Whether a host without a dot is a Service of the run's namespace, as in pods there."""
    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    """Networks to which nothing is sent, even if they are `allowed`."""
    own: tuple[Network, ...] = ()
    """Addresses of the operator's pod and node, forbidden like its loopback."""
    longest: float = LONGEST
    """Maximum seconds of a request or a query, whatever its own timeout."""
    proxy: str = field(default="", repr=False)
    """URL of a proxy for all requests, including a password if needed. With a proxy, the operator checks only addresses in URLs."""
    direct: tuple[str, ...] = ()
    """Hosts, domains (`.svc`) and networks that bypass the proxy."""
    authorities: Path | None = None
    """Certificate authorities (PEM) that are trusted in addition to the public ones."""
    secrets: bool = False
    within: frozenset[str] = frozenset()
    """Namespaces whose Secrets it may read although it may not read all."""

    def reads(self, namespace: str) -> bool:
        """Whether it may read the Secrets and ConfigMaps of a namespace."""
        return self.secrets or namespace in self.within


USUAL = EgressPolicy()
"""The policy of an operator without settings."""
