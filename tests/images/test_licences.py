"""Distributed files include their licence: the wheel and the chart have LICENSE and NOTICE, and a page lists the
dependencies' licences."""

import io
import json
import runpy
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from chart.rendering import CHART, helm, needs_helm

REPO = Path(__file__).resolve().parents[2]
IMAGES = REPO / "images"
TERMS = ("LICENSE", "NOTICE")


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script of images/, as a mapping of its names."""
    monkeypatch.syspath_prepend(str(IMAGES))
    return lambda name: runpy.run_path(str(IMAGES / f"{name}.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository, as in the image and a release."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(REPO)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr and "No matching distribution" in done.stderr:
        pytest.skip("the package index, which has the build backend, is out of reach")
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_has_its_licence_and_says_that_it_is_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [info] = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        for term in TERMS:
            assert archive.read(f"{info}/licenses/{term}") == (REPO / term).read_bytes()
        assert "tradewind/py.typed" in names
        about = archive.read(f"{info}/METADATA").decode()
    if (REPO / "operator/tradewind/server/static/index.html").exists():  # `make ui`
        assert {"tradewind/server/static/index.html", "tradewind/server/static/licences.txt"} <= names
    assert "License-Expression: Apache-2.0\n" in about and "License-File: NOTICE\n" in about


@needs_helm
def test_the_chart_has_its_licence(tmp_path: Path) -> None:
    subprocess.run([helm(), "package", str(CHART), "--destination", str(tmp_path)], check=True, capture_output=True)
    [package] = tmp_path.glob("*.tgz")
    with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as archive:
        for term in TERMS:
            found = archive.extractfile(f"tradewind/{term}")
            assert found is not None and found.read() == (REPO / term).read_bytes()


def test_both_ways_to_make_the_image_take_the_licence(images: Any) -> None:
    """They install the wheel, which contains it; so its files must exist when the wheel is built."""
    copied = (IMAGES / "Dockerfile").read_text()
    assert all(term in copied for term in TERMS)
    assert {path.name for path in images("operator_layers")["TERMS"]} == set(TERMS)


def test_the_page_of_licences_is_the_one_that_is_generated(images: Any) -> None:
    assert images("licences")["page"]() == (REPO / "docs/licences.md").read_text(), "run `make licences`"


def test_licences_are_what_the_installed_packages_say(images: Any) -> None:
    said = images("wheels")["_licence"]
    components = json.loads((IMAGES / "sbom.cdx.json").read_text())["components"]
    installed = {item["name"]: item for item in components if metadata.version(item["name"]) == item["version"]}
    assert "aiohttp" in installed
    for name, component in installed.items():
        assert component["licenses"] == [{"license": {"name": said(name)}}], "run `make sbom`"
