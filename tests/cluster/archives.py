"""The image archives that `images/build.py` makes, by name."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import binaries
from cluster.settings import REPO, cache_home
from cluster.shell import run, step


def can_build() -> bool:
    """Root folders of images belong to root, and their programs run in them."""
    return sys.platform == "linux" and os.geteuid() == 0


def build(names: Sequence[str]) -> list[Path]:
    """One archive for each name, from the cache where its content is the same."""
    command: list[str | Path] = [sys.executable, "-B", REPO / "images" / "build.py", "--cache", cache_home() / "images"]
    if "pause" in names:
        command += ["--pause", binaries.pause()]
    with step(f"building images {' '.join(names)}"):
        return [Path(line) for line in run(*command, *names).splitlines()]
