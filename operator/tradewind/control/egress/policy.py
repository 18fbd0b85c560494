"""What an operator may do itself for tasks without pods."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from tradewind.model.podless import LONGEST

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Send `requests`, also to `allowed` networks that are forbidden otherwise, and read the `secrets` and ConfigMaps that a request
    refers to. What it may not is done from pods."""

    requests: bool = True
    services: bool = True
    """Whether a host without a dot is a Service of the run's namespace, as it is to the pods there."""
    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    """Networks to which nothing is sent, not even where they are `allowed` too."""
    own: tuple[Network, ...] = ()
    """Addresses of the operator's pod and node, forbidden like its loopback."""
    longest: float = LONGEST
    """Seconds that a request, or a query, may take at most, whatever it says itself."""
    proxy: str = field(default="", repr=False)
    """URL of a proxy through which requests are sent, with a password where it wants one. Then the operator looks at no address but those
    that requests name themselves."""
    direct: tuple[str, ...] = ()
    """Hosts, domains (`.svc`) and networks that are asked without it."""
    authorities: Path | None = None
    """Authorities (PEM) that are trusted beside the public ones."""
    secrets: bool = False
    within: frozenset[str] = frozenset()
    """Namespaces in which it may read them though it may not everywhere."""

    def reads(self, namespace: str) -> bool:
        """Whether it may read the Secrets and ConfigMaps of a namespace."""
        return self.secrets or namespace in self.within


USUAL = EgressPolicy()
"""What an operator may do that is told nothing else."""
