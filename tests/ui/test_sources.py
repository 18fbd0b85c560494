"""The sources of the web UI: types, lint, format and unit tests, by their own tools."""

import subprocess
import sys
from pathlib import Path

import pytest

from ui.conftest import UI

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("wanted", ["check", "test"])
def test_the_sources_pass(built: Path, wanted: str) -> None:
    done = subprocess.run([sys.executable, UI / "make.py", wanted], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_built_files_are_those_of_the_sources(built: Path) -> None:
    code = "import sys, make; sys.exit(0 if make.fresh() else 'stale')"
    subprocess.run([sys.executable, "-c", code], cwd=UI, check=True)
    assert (built / "index.html").exists() and list(built.glob("assets/*.js.gz"))
