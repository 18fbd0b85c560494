"""The root folder of `python:3.11-slim`: Debian bookworm at its smallest, with its Python 3.11."""

import os
import shutil
import subprocess
from pathlib import Path

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates", "tzdata")
PUBLIC_MIRROR = "http://deb.debian.org/debian"
# What no program reads at run time, or what would differ from one build to the next.
UNWANTED = (
    "dev/*", "run/*", "tmp/*", "var/tmp/*", "var/log/*", "var/log/*/*", "var/cache/*/*", "var/lib/apt/lists/*",
    "usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian",
    "etc/resolv.conf", "etc/hostname", "etc/machine-id", "etc/*-", "var/lib/dpkg/*-old", "root/.python_history",
)  # fmt: skip


def mirror() -> str:
    """`$TRADEWIND_DEBIAN_MIRROR`; else where this machine's apt gets this suite; else the public one."""
    chosen = os.environ.get("TRADEWIND_DEBIAN_MIRROR")
    if chosen:
        return chosen
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: " + SUITE, "Created-By: Packages"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        found = []
    return found[0].rstrip("/") if found else PUBLIC_MIRROR


def make_root(work: Path) -> Path:
    """Fill and return `work/root`."""
    root = work / "root"
    # A mount namespace of its own: whatever debootstrap mounts is gone when it ends, however it ends.
    _run("unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}",
         SUITE, str(root), mirror())  # fmt: skip
    _link_python(root)
    # The bytecode of a read-only file system must not depend on the time stamps of its sources.
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
         "/usr/lib/python3", "/usr/lib/python3.11")  # fmt: skip
    _clean(root)
    return root


def _link_python(root: Path) -> None:
    """Where the public image has its interpreter, and with it the paths in scripts' first lines."""
    for name in ("python", "python3", "python3.11"):
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")


def _clean(root: Path) -> None:
    for pattern in UNWANTED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / "etc/apt/sources.list").write_text(f"deb {PUBLIC_MIRROR} {SUITE} main\n")
    shadow = root / "etc/shadow"  # holds the day of the build
    lines = [line.split(":") for line in shadow.read_text().splitlines()]
    shadow.write_text("".join(":".join([*words[:2], "19675", *words[3:]]) + "\n" for words in lines))


def _run(*command: str) -> None:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
