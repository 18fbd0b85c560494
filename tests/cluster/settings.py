"""Every pinned version, address and place of the test cluster; nothing else names them."""

import os
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
GOBIN = HERE / "gobin"

HELM_VERSION = "v4.3.1"
VERSITYGW_VERSION = "v1.8.0"
KUBECTL_OLDEST = (1, 30)
PAUSE_IMAGE = "registry.k8s.io/pause:3.10"
BASE_IMAGES = ("pause", "busybox", "python")
DEBIAN_PACKAGES = {  # package: a file that shows it is installed
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "busybox-static": "/bin/busybox",
    "nftables": "/usr/sbin/nft",
    "iptables": "/usr/sbin/iptables",
    "conntrack": "/usr/sbin/conntrack",
    "socat": "/usr/bin/socat",
    "debootstrap": "/usr/sbin/debootstrap",
    "iproute2": "/sbin/ip",
    "openssl": "/usr/bin/openssl",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
}

# Clusters beside each other on one machine differ by this number; everybody shares number 0.
# The tests that kill a cluster run with a number of their own.
NUMBER_VARIABLE = "TRADEWIND_CLUSTER_NUMBER"
NUMBER = int(os.environ.get(NUMBER_VARIABLE, "0"))
if not 0 <= NUMBER <= 7:
    raise ValueError(f"${NUMBER_VARIABLE} is {NUMBER}; possible are 0 to 7")

NODE = "tradewind"
HOST_LINK = f"tradewind{NUMBER}"
CGROUP = "tradewind-cluster" if NUMBER == 0 else f"tradewind-cluster-{NUMBER}"
# 198.18.0.0/15 is set aside for benchmarks (RFC 2544): no home, office or container network uses it.
HOST_IP = f"198.18.{NUMBER}.1"
NODE_IP = f"198.18.{NUMBER}.2"
SERVICE_CIDR = f"198.18.{16 + NUMBER * 16}.0/20"
API_SERVICE_IP = f"198.18.{16 + NUMBER * 16}.1"
DNS_SERVICE_IP = f"198.18.{16 + NUMBER * 16}.10"
POD_CIDR = f"198.19.{NUMBER * 32}.0/19"
CLUSTER_DOMAIN = "cluster.local"
HOST_NAME = "host.tradewind.internal"  # the machine the cluster runs on, as pods see it
API_URL = f"https://{NODE_IP}:6443"
ETCD_METRICS = f"http://{NODE_IP}:2381/metrics"

VOLUMES = 40
KEEP = "TRADEWIND_KEEP_CLUSTER"
"""The variable that leaves up what tests brought up."""
KIND_CLUSTER = "tradewind"

STATE = Path("/var/lib", "tradewind-cluster" if NUMBER == 0 else f"tradewind-cluster-{NUMBER}")


def cache_home() -> Path:
    """The project's part of the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tradewind"


def kubernetes_version() -> str:
    """The version that the Go module pins, so that it is written down once."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (GOBIN / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise LookupError("gobin/go.mod requires no k8s.io/kubernetes")
    return found.group(1)
