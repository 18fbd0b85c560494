"""The control groups under which the kubelet keeps its pods: made before, removed after."""

import contextlib
import time
from pathlib import Path

from cluster.settings import CGROUP

MOUNTS = Path("/proc/self/mounts")


def hierarchies() -> list[Path]:
    """The mounted cgroup trees: one with version 2, one for each controller with version 1."""
    found: list[Path] = []
    for line in MOUNTS.read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found.append(Path(place))
    return found


def make() -> None:
    """The kubelet wants its root to exist, with something in the sets that start empty."""
    for tree in hierarchies():
        folder = tree / CGROUP
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # version 1 refuses tasks while these are empty
            if (folder / name).exists() and (tree / name).exists() and not (folder / name).read_text().strip():
                (folder / name).write_text((tree / name).read_text())
        if (tree / "cgroup.subtree_control").exists():
            _delegate(tree)


def _delegate(tree: Path) -> None:
    """Version 2 hands controllers down one level at a time; some may be refused, the kubelet names which it needs."""
    for folder in (tree, tree / CGROUP):
        for controller in (folder / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def remove(patience: float = 10.0) -> None:
    """Bottom up; a group of processes just killed stays busy for a moment."""
    end = time.monotonic() + patience
    while left := [tree / CGROUP for tree in hierarchies() if (tree / CGROUP).exists()]:
        for root in left:
            for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                root.rmdir()
        if time.monotonic() > end:
            raise OSError(f"still busy: {', '.join(map(str, left))}")
        time.sleep(0.05)
