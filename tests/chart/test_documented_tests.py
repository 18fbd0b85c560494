"""The tests that documents name as proof exist."""

import re

from chart.rendering import ROOT

NAMED = re.compile(r"`(test_\w+(?:\.py)?|tests/[a-z0-9_/]+\.py)`")
MADE = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_every_test_that_a_document_names_is_there() -> None:
    there = set[str]()
    for path in (ROOT / "tests").rglob("test_*.py"):
        there |= {path.stem, path.name, str(path.relative_to(ROOT)), *MADE.findall(path.read_text())}
    named = {name for page in (ROOT / "docs").rglob("*.md") for name in NAMED.findall(page.read_text())}
    assert len(named) > 30 and named - there == set()
