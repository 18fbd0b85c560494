"""The proxy for requests of tenants, and the authorities that sign certificates of their servers."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path


def goes_direct(host: str, rules: Sequence[str]) -> bool:
    """Whether a host bypasses the proxy. A rule is a host, a domain with all its hosts (`example.com`, `.svc`), or a network
    (`10.0.0.0/8`), which applies to hosts written as addresses."""
    name, address = host.lower().rstrip("."), literal(host)
    for rule in rules:
        if address is not None:
            with suppress(ValueError):
                if address in ip_network(rule, strict=False):
                    return True
        domain = rule.lower().lstrip(".")
        if name.endswith(f".{domain}") or (name == domain and not rule.startswith(".")):
            return True
    return False


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, in any spelling (`127.1`, `0x7f000001`, `127.0.0.1.`), or the loopback for `localhost` and
    names under it (RFC 6761); None for other names."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    with suppress(ValueError):
        return ip_address(host.strip("[]").partition("%")[0])
    with suppress(OSError):
        return IPv4Address(socket.inet_aton(host))
    return None


def trusting(authorities: Path | None) -> ssl.SSLContext | bool:
    """How certificates of servers are verified: against the public authorities and those of a file. Raises OSError."""
    if authorities is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(authorities)
    return context
