"""The wheels of which the operator's image is made, on every machine that it is for: as pip would choose them, with their hashes."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import operator_layers

MACHINES = ("x86_64", "aarch64")


@dataclass
class Package:
    """A package of the image."""

    name: str
    version: str
    licence: str
    wheels: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256."""


def packages() -> list[Package]:
    """All of them, by name. Asks the package index."""
    found: dict[str, Package] = {}
    for machine in MACHINES:
        for item in _report(machine):
            meta, file = item["metadata"], item["download_info"]
            package = found.setdefault(
                meta["name"].lower(), Package(meta["name"], meta["version"], _licence(meta["name"]))
            )
            if package.version != meta["version"]:
                raise SystemExit(f"{package.name} has no version that all machines can have: pin another one")
            package.wheels[file["url"].rpartition("/")[2]] = file["archive_info"]["hashes"]["sha256"]
    return [found[name] for name in sorted(found)]


def _report(machine: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as nowhere:
        path = Path(nowhere, "report.json")
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run",
            "--ignore-installed", "--report", str(path), "--target", nowhere,
            "--constraint", str(operator_layers.CONSTRAINTS), *operator_layers.for_machine(machine),
            *operator_layers.asked(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"pip can't say what the image is made of:\n{done.stderr[-2000:]}")
        found: list[dict[str, Any]] = json.loads(path.read_text())["install"]
        return found


def _licence(name: str) -> str:
    """As the package says itself: an SPDX expression where it has one, else what it is classified as."""
    meta = metadata(name)  # of the same version, as constraints.txt has it; pip's report has no expressions
    if said := meta.get("License-Expression"):
        return str(said)
    classified = [
        text.rpartition(" :: ")[2] for text in meta.get_all("Classifier") or () if text.startswith("License ::")
    ]
    return ", ".join(classified) or str(meta.get("License") or "").split("\n")[0][:80]
