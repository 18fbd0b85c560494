"""Package, image and chart have one version."""

import runpy
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "images"


def test_package_and_chart_have_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(IMAGES))
    versions = runpy.run_path(str(IMAGES / "version.py"))["versions"]()
    assert len(versions) == 3 and len(set(versions.values())) == 1, versions
