"""The two layers above Python that make the operator's image: dependencies, and the package itself."""

import errno
import os
import platform
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
PROJECT, CONSTRAINTS, PACKAGE = REPO / "pyproject.toml", REPO / "constraints.txt", REPO / "operator"
TERMS = (REPO / "LICENSE", REPO / "NOTICE")
"""The wheel carries them, and so does the image."""
REQUIREMENTS, SBOM = REPO / "images/requirements.txt", REPO / "images/sbom.cdx.json"
HOME = "opt/tradewind"
PYTHON = "3.11"
# Every C library up to the one of the image's Debian.
PLATFORMS = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 36)))


def project() -> dict[str, Any]:
    """The whole of pyproject.toml."""
    return tomllib.loads(PROJECT.read_text())


def version() -> str:
    """The image's tag."""
    return str(project()["project"]["version"])


def asked() -> list[str]:
    """What the package itself asks for, and its sensors; requirements.txt has the files that come of it."""
    said = project()["project"]
    return [*said["dependencies"], *said["optional-dependencies"]["postgres"]]


def for_machine(machine: str) -> list[str]:
    """pip's options for wheels of the image's Python, and not of this one."""
    return [
        "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}",
        *(f"--platform={name}_{machine}" for name in PLATFORMS),
    ]  # fmt: skip


def make_dependencies(work: Path) -> Path:
    """Every dependency: the files whose hashes requirements.txt has, and no others."""
    target = work / "root" / HOME
    _pip(
        "install", "--target", str(target), "--require-hashes", "--requirement", str(REQUIREMENTS), "--no-compile",
        *for_machine(platform.machine()),
    )  # fmt: skip
    _compile(target)
    return work / "root"


def make_package(work: Path, tools: Path) -> Path:
    """The wheel of this repository, unpacked, and its commands."""
    target = work / "root" / HOME
    target.mkdir(parents=True)
    with zipfile.ZipFile(wheel(work, tools)) as built:
        built.extractall(target)
    entries = ConfigParser()
    entries.read(next(target.glob("tradewind-*.dist-info")) / "entry_points.txt")
    (target / "bin").mkdir()
    for name, place in entries["console_scripts"].items():
        module, function = place.split(":")
        script = target / "bin" / name
        script.write_text(
            f"#!/usr/local/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
        script.chmod(0o755)
    shutil.copy(SBOM, target / SBOM.name)
    _compile(target)
    return work / "root"


def wheel(work: Path, tools: Path) -> Path:
    """By the project's own build backend, kept in the cache: fetching it anew would take longer than the rest."""
    required = project()["build-system"]["requires"]
    backend = tools / "-".join(required).replace("=", "")
    if not backend.exists():
        partial = work / "backend"
        _pip("install", "--target", str(partial), *required)
        tools.mkdir(parents=True, exist_ok=True)
        try:
            partial.rename(backend)
        except OSError as error:  # Another build, with a cache of its own beside this one, was faster.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    code = f"from {project()['build-system']['build-backend']} import build_wheel; print(build_wheel({str(work)!r}))"
    built = _run(sys.executable, "-B", "-c", code, cwd=REPO, PYTHONPATH=str(backend), SOURCE_DATE_EPOCH="1700000000")
    return work / built.split()[-1]


def _compile(target: Path) -> None:
    """Bytecode makes the start twice as fast; only a Python of the image's version can make it."""
    if platform.python_version().startswith(f"{PYTHON}."):
        inside = ["-s", str(target), "-p", f"/{HOME}"]
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", *inside, str(target)],
            capture_output=True, check=False,
        )  # fmt: skip


def _pip(*arguments: str) -> None:
    _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def _run(*command: str, cwd: Path | None = None, **env: str) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **env},
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout
