"""The operator's image selects files by hash: those of constraints.txt, and no unneeded ones."""

import json
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

REPO = Path(__file__).resolve().parents[2]
IMAGES = REPO / "images"
LOCK = (IMAGES / "requirements.txt").read_text()
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+) \\$", LOCK, re.M))


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A script of images/, as a mapping of its names."""
    monkeypatch.syspath_prepend(str(IMAGES))
    return lambda name: runpy.run_path(str(IMAGES / f"{name}.py"))


def test_every_file_has_a_hash_and_the_version_that_is_pinned() -> None:
    lines = (REPO / "constraints.txt").read_text().split()
    assert lines == sorted(lines, key=str.lower)
    constraints = {plain(name): version for name, version in (line.split("==") for line in lines)}
    assert {plain(name): version for name, version in PINNED.items()}.items() <= constraints.items()
    blocks = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.M)[1:]
    assert len(blocks) == len(PINNED) and all("--hash=sha256:" in block for block in blocks)


def test_what_the_package_asks_for_is_there_and_fits(images: Any) -> None:
    there = {plain(name): version for name, version in PINNED.items()}
    for text in images("operator_layers")["asked"]():
        asked = Requirement(text)
        assert asked.specifier.contains(there[plain(asked.name)]), text


def test_both_ways_to_make_the_image_take_nothing_else() -> None:
    for recipe in ("Dockerfile", "operator_layers.py"):
        text = (IMAGES / recipe).read_text()
        assert "--require-hashes" in text and "requirements.txt" in text and "sbom.cdx.json" in text
        assert "--constraint" not in text.replace("--constraint constraints.txt --editable", "")


def test_the_list_of_materials_says_the_same() -> None:
    bom = json.loads((IMAGES / "sbom.cdx.json").read_text())
    assert {item["name"]: item["version"] for item in bom["components"]} == PINNED
    assert all(item["licenses"] for item in bom["components"])
    hashes = {
        hashed["content"]
        for item in bom["components"]
        for file in item["externalReferences"]
        for hashed in file["hashes"]
    }
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def audited(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(IMAGES / "audit.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_archive_of_vulnerabilities_is_read(tmp_path: Path) -> None:
    fixed, version = {"introduced": "0"}, PINNED["click"]
    named = {"id": "A-1", "affected": [{"package": {"name": "Click"}, "versions": [version]}]}
    ranges = [{"type": "ECOSYSTEM", "events": [fixed, {"fixed": "9999"}]}]
    ranged = {"id": "A-2", "summary": "bad", "affected": [{"package": {"name": "pyyaml"}, "ranges": ranges}]}
    past = [{"type": "ECOSYSTEM", "events": [fixed, {"fixed": "0.1"}]}]
    fixed = {"id": "A-3", "affected": [{"package": {"name": "click"}, "ranges": past}]}
    withdrawn = {**named, "id": "A-4", "withdrawn": "2026-01-01T00:00:00Z"}
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for entry in (named, ranged, fixed, withdrawn):
            archive.writestr(f"{entry['id']}.json", json.dumps(entry))
    done = audited("--osv", str(path))
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"click {version}: A-1", f"pyyaml {PINNED['PyYAML']}: A-2: bad"]


def test_a_database_that_can_not_be_read_is_said_and_no_success(tmp_path: Path) -> None:
    done = audited("--osv", str(tmp_path / "none.zip"))
    assert done.returncode == 2 and done.stderr.startswith("not audited: ")
