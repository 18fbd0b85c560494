"""Debian packages that the self-made cluster and the images need."""

import shutil
from pathlib import Path

from cluster.settings import DEBIAN_PACKAGES
from cluster.shell import run, say, step


def missing() -> list[str]:
    return [package for package, file in DEBIAN_PACKAGES.items() if not Path(file).exists()]


def can_install() -> bool:
    return not missing() or shutil.which("apt-get") is not None


def install() -> None:
    """Install what is missing, and say so: it outlives the cluster."""
    wanted = missing()
    if not wanted:
        return
    say(f"installing Debian packages: {' '.join(wanted)}")
    env = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with step("apt-get"):
        run("apt-get", "update", "-q", env=env)
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted, env=env)
