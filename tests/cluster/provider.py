"""Which cluster there can be on this machine."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster import packages
from cluster.given import Given
from cluster.kind import Kind
from cluster.selfmade import SelfMade


class Provider(Protocol):
    """A way to have a cluster."""

    name: str

    def prepare(self) -> None:
        """Build and fetch what it needs, without bringing it up."""

    def up(self) -> Path:
        """Bring it up unless it is; the path of a kubeconfig."""

    def down(self) -> None:
        """End it; nothing of it is left."""

    def is_up(self) -> bool:
        """Whether it answers now."""

    def status(self) -> str:
        """A few lines for a person."""

    def load(self, archives: Sequence[Path]) -> None:
        """Make images known to its nodes."""


@dataclass(frozen=True)
class Unavailable:
    """No cluster is possible here, and why, in one line."""

    reason: str


def choose() -> Provider | Unavailable:
    """`$KUBECONFIG` first, then kind, then a cluster made here."""
    mine, kind = SelfMade(), Kind()
    given = os.environ.get("KUBECONFIG")
    # What `up` printed leads back to the provider that printed it.
    if given and given not in (str(mine.kubeconfig), str(kind.kubeconfig)):
        return Given(Path(given))
    if given != str(mine.kubeconfig) and shutil.which("kind") and _docker_answers():
        return kind
    reason = obstacle()
    return Unavailable(reason) if reason else mine


def _docker_answers() -> bool:
    try:
        done = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def obstacle() -> str | None:
    """Why there can be no self-made cluster here, if so."""
    prefix = "no cluster: $KUBECONFIG is not set, kind with a Docker daemon is not here, and a self-made one needs"
    if platform.system() != "Linux":
        return f"{prefix} Linux"
    if os.geteuid() != 0:
        return f"{prefix} root"
    if shutil.which("go") is None:
        return f"{prefix} Go on PATH"
    if not packages.can_install():
        return f"{prefix} the Debian packages {' '.join(packages.missing())}"
    return None
