"""Links of pages that are read in the repository, and the lists of pages. `make docs-site` checks the links among the
pages of docs/."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
READ_HERE = [*sorted(ROOT.glob("*.md")), ROOT / "charts/tradewind/README.md", *sorted(DOCS.rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them from headings."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", READ_HERE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_only_to_what_is_there(page: Path) -> None:
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(prose):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = set(re.findall(r"^ +- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    there = {path.name for path in DOCS.glob("*.md")} | {"design/index.md"}
    assert listed == there, "list the page in mkdocs.yml, in the part that it belongs to"


def test_every_design_note_is_in_their_index_with_date_and_status() -> None:
    index = (DOCS / "design/index.md").read_text()
    rows = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| \[[^]]+\]\((\1-[\w-]+\.md)\) \| \S.* \|$", index, re.MULTILINE)
    there = {path.name for path in (DOCS / "design").glob("20*.md")}
    assert {name for _, name in rows} == there, "add a row to docs/design/index.md"


def test_figures_on_the_first_screen_are_those_of_the_measurements() -> None:
    first = (ROOT / "README.md").read_text().partition("## Install")[0]
    figures = re.findall(r"\b[\d.,]*\d (?:s|MB)\b", first)
    measured = (DOCS / "performance.md").read_text()
    assert len(figures) >= 3
    assert [figure for figure in figures if figure not in measured] == [], "docs/performance.md has others"
