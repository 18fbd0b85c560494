"""The bench itself: each shape, very small, on the embedded server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nightly import sized

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(900)
SHAPES = "S1,S3,S4,S5,S10,S10-random,S11,status"


def measured(module: str, *flags: str, results: Path) -> dict[str, dict[str, Any]]:
    """Its figures, by name."""
    command = [sys.executable, "-m", module, "--side", "embedded", "--results", str(results), *flags]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(["tests", "."])}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-2_000:]
    (path,) = results.glob("*.json")
    return {figure["what"]: figure for figure in json.loads(path.read_text())["figures"]}


@pytest.mark.timeout(240)
def test_each_shape_gives_figures_and_its_floor(tmp_path: Path) -> None:
    figures = measured("bench", "--only", SHAPES, "--size", "0.01", results=tmp_path)
    shapes = {what.split()[0] for what in figures}
    assert {"S1", "S3", "S4", "S5", "S10", "S11", "status"} <= shapes, shapes
    assert not any("not over in time" in what for what in figures)
    floors = {what.split()[0] for what, figure in figures.items() if figure["floor"]}
    assert {"S1", "S4", "S5", "S10", "status"} <= floors, floors
    writes = [figure["value"] for what, figure in figures.items() if "API writes of the operator" in what]
    assert writes and all(value > 0 for value in writes), "each task has had its pod created by the operator"


@pytest.mark.timeout(240)
def test_shards_and_the_soak_give_figures_and_a_plot(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    figures = measured("bench", "--only", "shards", "--size", sized("0.1", "0.2"), results=tmp_path / "shards")
    assert sum("operator" in what and "pods" in what for what in figures) == 3
    assert (tmp_path / "shards" / "embedded-shards.svg").exists()
    (tmp_path / "soak").mkdir()
    figures = measured("bench.soak", "--minutes", "0.7", results=tmp_path / "soak")
    assert len(figures) == 1 and next(iter(figures.values()))["points"]
    assert (tmp_path / "soak" / "soak-embedded-soak.svg").exists()
