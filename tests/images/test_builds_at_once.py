"""Two builds at the same time don't disturb each other, whichever is faster."""

import runpy
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "images"
WAIT = 0.3
"""Seconds in which a build would end that waits for nobody."""


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script of images/, as a mapping of its names."""
    monkeypatch.syspath_prepend(str(IMAGES))
    yield lambda name: runpy.run_path(str(IMAGES / f"{name}.py"))
    for name in ("archive", "debian", "operator_layers"):
        sys.modules.pop(name, None)


def test_a_build_backend_that_another_build_has_installed_meanwhile_is_used(images: Any, tmp_path: Path) -> None:
    script = images("operator_layers")
    used: list[str] = []

    def install(*arguments: str) -> None:
        """Both builds have installed it, and the other one was faster."""
        required = script["project"]()["build-system"]["requires"]
        other = tmp_path / "tools" / "-".join(required).replace("=", "")
        for folder in (Path(arguments[2]), other):
            folder.mkdir(parents=True)
            (folder / "backend.py").touch()

    def run(*command: str, **variables: Any) -> str:
        used.append(variables["PYTHONPATH"])
        return "tradewind.whl"

    script["wheel"].__globals__.update(_pip=install, _run=run)
    work = tmp_path / "work"
    work.mkdir()
    assert script["wheel"](work, tmp_path / "tools") == work / "tradewind.whl"
    assert (Path(used[0]) / "backend.py").exists()


def test_builds_with_the_same_cache_wait_for_each_other(images: Any, tmp_path: Path) -> None:
    script, program = images("build"), tmp_path / "pause"
    program.write_text("pause")
    builder, built = script["Builder"](tmp_path / "cache", program), list[Path]()
    building = threading.Thread(target=lambda: built.append(builder.build("pause")))
    with script["archive"].locked(tmp_path / "cache"):
        building.start()
        building.join(WAIT)
        assert not built
    building.join()
    assert [path.exists() for path in built] == [True]
