"""The configuration files of the node's components, and their command lines."""

import json
from pathlib import Path

from cluster.settings import (
    CGROUP,
    CLUSTER_DOMAIN,
    DNS_SERVICE_IP,
    ETCD_METRICS,
    HOST_IP,
    HOST_NAME,
    NODE,
    NODE_IP,
    PAUSE_IMAGE,
    POD_CIDR,
    SERVICE_CIDR,
)

CONTAINERD = """\
version = 2
root = "{state}/containerd"
state = "/run/containerd"
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state}/config/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""

# A name outside the cluster does not exist: the node has no way out to ask elsewhere, and a
# refusal would make resolvers try again for seconds. Zones of their own, because within one
# the order of plugins is fixed and `template` would answer first.
COREFILE = """\
{domain}:53 in-addr.arpa:53 {{
    bind {node_ip} 127.0.0.1
    errors
    ready {node_ip}:8181
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {state}/pki/coredns.kubeconfig
        pods insecure
        ttl 5
    }}
    cache 5
}}
{host_name}:53 {{
    bind {node_ip} 127.0.0.1
    hosts {{
        {host_ip} {host_name}
    }}
}}
.:53 {{
    bind {node_ip} 127.0.0.1
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def write(state: Path) -> None:
    """All files, under `state/config`."""
    folder = state / "config"
    (folder / "cni").mkdir(parents=True)
    (folder / "containerd.toml").write_text(CONTAINERD.format(state=state, pause=PAUSE_IMAGE))
    (folder / "Corefile").write_text(
        COREFILE.format(state=state, node_ip=NODE_IP, host_ip=HOST_IP, host_name=HOST_NAME, domain=CLUSTER_DOMAIN)
    )
    (folder / "resolv.conf").write_text(f"nameserver {NODE_IP}\n")
    documents = {"cni/10-pods.conflist": _network(), "kubelet.yaml": _kubelet(state), "kube-proxy.yaml": _proxy(state)}
    documents["audit.yaml"] = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1))


def _network() -> dict[str, object]:
    # A routed link for each pod, no bridge: traffic between pods passes the packet filter
    # like any other, so that service addresses work without a kernel module for bridges.
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(state: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "healthzBindAddress": NODE_IP,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{state}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "clusterDNS": [DNS_SERVICE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{state}/config/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{state}/containerd.sock",
        "volumePluginDir": f"{state}/kubelet/plugins-exec",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxPods": 250,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # images that came from no registry cannot come back
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }


def _proxy(state: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": f"{state}/pki/kube-proxy.kubeconfig"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": "100ms"},
    }


def command_lines(state: Path, programs: Path) -> dict[str, list[str]]:
    """Each component's argv, in the order in which they are started."""
    pki, config = state / "pki", state / "config"

    def identity(name: str) -> list[str]:
        file = f"{pki}/{name}.kubeconfig"
        flags = ("--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig")
        return [f"{flag}={file}" for flag in flags]

    fast = ["--kube-api-qps=200", "--kube-api-burst=400", "--leader-elect=false"]
    etcd = "http://127.0.0.1:2379"
    commands = {
        "containerd": ["--config", f"{config}/containerd.toml"],
        "etcd": [
            f"--name={NODE}", f"--data-dir={state}/etcd", f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}", "--listen-peer-urls=http://127.0.0.1:2380",
            f"--listen-metrics-urls={ETCD_METRICS.removesuffix('/metrics')}",
            "--unsafe-no-fsync", "--log-level=warn",
        ],
        "kube-apiserver": [
            f"--etcd-servers={etcd}", f"--advertise-address={NODE_IP}", f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
            f"--service-account-key-file={pki}/service-account.pub",
            f"--service-account-signing-key-file={pki}/service-account.key",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key", "--enable-aggregator-routing=true",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            f"--audit-policy-file={config}/audit.yaml", f"--audit-log-path={state}/logs/audit.log",
        ],
        "kube-controller-manager": [
            *identity("kube-controller-manager"), *fast, "--use-service-account-credentials=true",
            f"--root-ca-file={pki}/ca.crt", f"--service-account-private-key-file={pki}/service-account.key",
            f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
            f"--cluster-cidr={POD_CIDR}", "--bind-address=127.0.0.1",
        ],
        "kube-scheduler": [*identity("kube-scheduler"), *fast, "--bind-address=127.0.0.1"],
        "kubelet": [
            f"--config={config}/kubelet.yaml", f"--kubeconfig={pki}/kubelet.kubeconfig",
            f"--hostname-override={NODE}", f"--node-ip={NODE_IP}",
        ],
        "kube-proxy": [f"--config={config}/kube-proxy.yaml"],
        "coredns": ["-conf", f"{config}/Corefile"],
    }  # fmt: skip
    own = {name: str(programs / name) for name in commands} | {"containerd": "/usr/bin/containerd"}
    return {name: [own[name], *arguments] for name, arguments in commands.items()}
