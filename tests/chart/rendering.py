"""The chart's objects, as real Helm renders them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import binaries

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tradewind"
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""The one in C needs a tenth of the time for the chart's CRDs."""

needs_helm = pytest.mark.skipif(
    not (shutil.which("helm") or shutil.which("go")), reason="needs helm, or Go to build it"
)


@cache
def helm() -> str:
    return str(binaries.helm())


def template(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return _template(yaml.safe_dump(values))


@cache
def _template(values: str) -> subprocess.CompletedProcess[str]:
    command = [helm(), "template", "release", str(CHART), "--namespace", "tradewind-system", "--values", "-"]
    return subprocess.run(command, input=values, capture_output=True, text=True, timeout=200)


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    done = template(values)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.load_all(done.stdout, LOADER) if body]


def of(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body for body in objects if body["kind"] == kind]
