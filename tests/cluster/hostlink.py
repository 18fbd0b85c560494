"""The one trace of the cluster in the machine's own network: a veth pair into the node.

It vanishes with the node's network namespace, and the routes with it.
"""

import contextlib

from cluster.settings import HOST_IP, HOST_LINK, NODE_IP, POD_CIDR, SERVICE_CIDR
from cluster.shell import ClusterError, run


def connect(pid: int) -> None:
    """Join the machine and the node of this supervisor; services and pods are reachable by route."""
    disconnect()
    run("ip", "link", "add", HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    run("ip", "address", "add", f"{HOST_IP}/30", "dev", HOST_LINK)
    run("ip", "link", "set", HOST_LINK, "up")
    inside = ("nsenter", "--target", str(pid), "--net", "ip")
    run(*inside, "address", "add", f"{NODE_IP}/30", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "route", "add", "default", "via", HOST_IP)
    for network in (SERVICE_CIDR, POD_CIDR):
        run("ip", "route", "add", network, "via", NODE_IP)


def disconnect() -> None:
    """Usually nothing to do: the kernel removes the pair with the namespace, a moment later."""
    with contextlib.suppress(ClusterError):
        run("ip", "link", "delete", HOST_LINK)
