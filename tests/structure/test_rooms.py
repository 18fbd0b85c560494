"""The structure: how many files a folder has, and that docs/architecture.md names what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "tradewind"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FOLDERS = [
    folder
    for name in ("control", "plan", "look", "server")
    for folder in [PACKAGE / name, *(PACKAGE / name).rglob("*")]
    if folder.is_dir() and any(folder.glob("*.py"))
]
BENCH = [folder for folder in (ROOT / "bench", *(ROOT / "bench").iterdir()) if any(folder.glob("*.py"))]


@pytest.mark.parametrize("folder", [*FOLDERS, *BENCH], ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_at_most_15_files(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 15


def test_the_page_names_every_folder() -> None:
    folders = {folder.name for folder in FOLDERS if folder.parent in (PACKAGE / "control", PACKAGE / "plan")}
    assert folders and not {name for name in folders if f"`{name}/`" not in PAGE}


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:control|plan|kube|model|cli|local|tasks)/[\w/]*(?:\.py|/))`", PAGE))
    assert len(named) > 30 and not {name for name in named if not (PACKAGE / name).exists()}
