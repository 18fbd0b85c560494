"""Each check of the leave forecast's quality task, with the one fault that it exists for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "leave-forecast"
SCRIPT = yaml.safe_load((EXAMPLE / "dag.yaml").read_text())["spec"]["tasks"]["quality"]["script"]["python"]
HEADER = "date,team,expected_absences,people"
GOOD = [f"2026-{at // 28 % 12 + 1:02d}-{at % 28 + 1:02d},team{at // 336},1.0,1" for at in range(600)]


def quality(folder: Path, lines: list[str], **env: str) -> tuple[int, str]:
    """Exit code and the task's output for a joined file."""
    (folder / "run").mkdir()
    (folder / "run" / "forecast.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    numbers = {"ROWS": str(len(lines)), "REJECTED": "0", "RECEIVED": "6000", **env}
    places = {"WORK": str(folder), "RUN": "run", "TRADEWIND_OUTPUTS": str(folder / "outputs")}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env={**os.environ, **numbers, **places}, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr


def test_a_good_file_passes_every_check(tmp_path: Path) -> None:
    code, said = quality(tmp_path, GOOD, REJECTED="120")
    assert code == 0 and said.count("passed") == 5
    assert json.loads((tmp_path / "outputs").read_text()) == {"checks": 5}


@pytest.mark.parametrize(
    ("check", "lines", "env"),
    [
        ("row count is what the join wrote", GOOD[:-1], {"ROWS": "600"}),
        ("at least 500 rows", GOOD[:499], {}),
        ("no empty value", [*GOOD[:-1], "2026-12-31,,1.0,1"], {}),
        ("no empty value", [*GOOD[:-1], "2026-12-31,team1"], {}),
        ("no day and team twice", [*GOOD, GOOD[0]], {}),
        ("at most 2 % of the lines rejected", GOOD, {"REJECTED": "121"}),
    ],
)
def test_a_bad_file_fails_the_one_check_that_it_breaks(
    tmp_path: Path, check: str, lines: list[str], env: dict[str, str]
) -> None:
    code, said = quality(tmp_path, lines, **env)
    assert code == 1 and f"FAILED {check}\n" in said and said.count("FAILED") == 1
    assert "nothing is published" in said and not (tmp_path / "outputs").exists()
