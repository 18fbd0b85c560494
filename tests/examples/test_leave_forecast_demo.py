"""The main example, as a user runs it without a cluster."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "leave-forecast"
EXPECTED = json.loads((EXAMPLE / "expected.json").read_text())


def demo(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "demo.py"), "--output", "json", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
    )
    start = done.stdout.find("{")
    end = done.stdout.rfind("\n}")
    return done.returncode, json.loads(done.stdout[start : end + 2]), done.stderr


@pytest.mark.parametrize("region", list(EXPECTED))
def test_each_region_publishes_what_it_always_published(tmp_path: Path, region: str) -> None:
    code, run, _ = demo(tmp_path, "--param", f"region={region}")
    assert (code, run["phase"]) == (0, "Succeeded")
    assert run["tasks"]["publish"]["outputs"] == {"file": f"leave-forecast-{region}-2026.csv", **EXPECTED[region]}
    published = (tmp_path / ".demo" / f"leave-forecast-{region}-2026.csv").read_bytes()
    assert hashlib.sha256(published).hexdigest() == EXPECTED[region]["sha256"]
    assert published.count(b"\n") == EXPECTED[region]["rows"] + 1


def test_a_failed_check_stops_the_publication(tmp_path: Path) -> None:
    source = tmp_path / "erp"
    shutil.copytree(EXAMPLE / "data", source)
    lines = (source / "leave_requests.csv").read_text().splitlines()
    (source / "leave_requests.csv").write_text("\n".join([*lines[:3000], *("R1,broken" for _ in range(2000))]) + "\n")
    code, run, told = demo(tmp_path, "--param", f"source={source}")
    assert (code, run["phase"]) == (1, "Failed")
    assert run["message"] == "failed: quality (Error, exit code 1); 1 task downstream did not run"
    assert run["tasks"]["publish"]["state"] == "UpstreamFailed"
    assert "FAILED at most 2 % of the lines rejected" in told and "nothing is published" in told
    assert not list((tmp_path / ".demo").glob("leave-forecast-*.csv"))


def test_a_source_that_is_not_there_is_named_after_its_retry(tmp_path: Path) -> None:
    code, run, told = demo(tmp_path, "--param", f"source={tmp_path}/nowhere")
    assert code == 1 and f"{tmp_path}/nowhere/employees.csv is missing or empty" in told
    assert len(run["tasks"]["erp"]["attempts"]) == 2


def test_a_value_that_the_param_does_not_allow_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "demo.py"), "--param", "region=west"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (
        done.returncode == 1 and "--param region: 'west' is not allowed; write one of north, south, east" in done.stderr
    )


def test_the_extract_is_what_its_script_makes_and_dirty_as_exports_are(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLE / "make_data.py"), str(tmp_path)], check=True)
    for name in ("employees.csv", "leave_requests.csv"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / "data" / name).read_bytes()
    employees = (tmp_path / "employees.csv").read_text().splitlines()
    requests = (tmp_path / "leave_requests.csv").read_text().splitlines()
    assert len(employees) + len(requests) > 6_000 and sum(map(len, employees + requests)) < 1_000_000
    ids = [line.split(",")[0] for line in requests]
    assert (
        len(ids) > len(set(ids))
        and any("/2026" in line for line in requests)
        and any("2026-" in line for line in requests)
    )
    assert any(line.count(",") == 1 for line in employees) and any('"' in line for line in employees)
