"""Debian packages that the self-made cluster, the images and the tests need."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster.settings import DEBIAN_PACKAGES, cache_home
from cluster.shell import ClusterError, run, say, step


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


def file_of(package: str, file: str) -> Path:
    """A file of a package that is not installed, as some would start a server: kept in the cache folder by the
    package's version."""
    try:
        return _fetched(package, file)
    except ClusterError:  # No lists of packages yet, or such as name a version that is gone.
        with step("apt-get update"):
            run("apt-get", "update", "-q")
        return _fetched(package, file)


def _fetched(package: str, file: str) -> Path:
    # One line: 'address' name_version_architecture.deb size hash
    archive = run("apt-get", "download", "--print-uris", "-q", package, cwd=Path("/")).split()[1]
    program = cache_home() / "bin" / archive.removesuffix(".deb") / Path(file).name
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with step(f"downloading {package}"), TemporaryDirectory(dir=program.parent) as folder:
            run("apt-get", "download", "-q", package, cwd=Path(folder))
            run("dpkg-deb", "-x", Path(folder, archive), Path(folder))
            Path(folder, file).replace(program)  # a download that was stopped leaves nothing that looks finished
    return program
