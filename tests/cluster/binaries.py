"""The programs of the cluster, built from their public Go modules into the user's cache folder."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from cluster.settings import GOBIN, HELM_VERSION, KUBECTL_OLDEST, VERSITYGW_VERSION, cache_home, kubernetes_version
from cluster.shell import ClusterError, run, step

NODE_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


def node_programs() -> Path:
    """A folder with the node's programs: one binary, a link for each name, and coredns."""
    folder = _folder(GOBIN, GOBIN / "node")
    _build(folder / "node", GOBIN, "./node", f"Kubernetes {kubernetes_version()} and etcd (5 minutes the first time)")
    for name in NODE_PROGRAMS:
        _link(folder / name, Path("node"))
    dns = _folder(GOBIN / "dns", GOBIN / "dns") / "coredns"
    _build(dns, GOBIN / "dns", ".", "coredns")
    _link(folder / "coredns", dns)
    return folder


def pause() -> Path:
    """The program of the sandbox image."""
    program = _folder(GOBIN / "pause", GOBIN / "pause") / "pause"
    _build(program, GOBIN, "./pause", "pause")
    return program


def kubectl() -> Path:
    """The machine's kubectl if it is new enough, else one built here."""
    found = shutil.which("kubectl")
    if found:
        try:
            version = json.loads(run(found, "version", "--client", "-o", "json"))["clientVersion"]["gitVersion"]
            major, minor = re.findall(r"\d+", version)[:2]
            if (int(major), int(minor)) >= KUBECTL_OLDEST:
                return Path(found)
        except (ClusterError, ValueError, KeyError):
            pass  # not a kubectl that answers: build one
    program = _folder(GOBIN, GOBIN / "kubectl") / "kubectl"
    _build(program, GOBIN, "./kubectl", "kubectl")
    return program


def helm() -> Path:
    """Helm of the pinned version, whatever the machine has."""
    return _installed("helm", HELM_VERSION, "helm.sh/helm/v4/cmd/helm")


def versitygw() -> Path:
    """An S3-compatible server over a folder."""
    return _installed("versitygw", VERSITYGW_VERSION, "github.com/versity/versitygw/cmd/versitygw")


def _installed(name: str, version: str, module: str) -> Path:
    folder = cache_home() / "bin" / f"{name}-{version}"
    program = folder / name
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with step(f"building {name} {version} (2 minutes the first time)"):
            source = f"{module}@{version}"
            run(*_nice(), "go", "install", "-trimpath", "-ldflags=-s -w", source, env=_go_env(GOBIN=str(folder)))
    return program


def _folder(*sources: Path) -> Path:
    """Where binaries of these sources are kept: the key changes with every source file."""
    digest = hashlib.sha256()
    for source in sources:
        for file in sorted(source.glob("*.go")) + sorted(source.glob("go.*")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return cache_home() / "bin" / f"{sources[-1].name}-{digest.hexdigest()[:12]}"


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _build(program: Path, module: Path, package: str, what: str) -> None:
    if program.exists():
        return
    program.parent.mkdir(parents=True, exist_ok=True)
    partial = program.with_suffix(f".{os.getpid()}")
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"
    try:
        with step(f"building {what}"):
            run(
                *_nice(), "go", "build", "-trimpath", "-ldflags", flags, "-o", partial, package,
                cwd=module, env=_go_env(CGO_ENABLED="0"),
            )  # fmt: skip
        partial.rename(program)  # a build that was stopped leaves nothing that looks finished
    finally:
        partial.unlink(missing_ok=True)


def _nice() -> tuple[str, ...]:
    return ("nice", "-n", "10") if shutil.which("nice") else ()


def _go_env(**more: str) -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", **more}
