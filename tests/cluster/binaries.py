"""The programs of the cluster, built from their public Go modules into the user's cache folder."""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

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
    program = cache_home() / "bin" / f"{name}-{version}" / name

    def install(partial: Path) -> None:
        env = _go_env(GOBIN=str(partial))
        run(*_nice(), "go", "install", "-trimpath", "-ldflags=-s -w", f"{module}@{version}", env=env)
        (partial / name).rename(program)

    _made(program, f"{name} {version} (2 minutes the first time)", install)
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
    def build(partial: Path) -> None:
        flags = f"-s -w -X k8s.io/component-base/version.gitVersion={kubernetes_version()}"
        made = partial / program.name
        run(
            *_nice(), "go", "build", "-trimpath", "-ldflags", flags, "-o", made, package,
            cwd=module, env=_go_env(CGO_ENABLED="0"),
        )  # fmt: skip
        made.rename(program)

    _made(program, what, build)


def _made(program: Path, what: str, make: Callable[[Path], None]) -> None:
    """Makes a program that is not there yet: once, however many processes want it at the same time. `make` works in a
    folder of its own and renames what is done, so that a build that was stopped leaves nothing that looks finished."""
    if program.exists():
        return
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            with step(f"building {what}"), TemporaryDirectory(dir=program.parent) as partial:
                make(Path(partial))


def _nice() -> tuple[str, ...]:
    return ("nice", "-n", "10") if shutil.which("nice") else ()


def _go_env(**more: str) -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", **more}
