"""The tests that docs/security.md names as proof of its promises exist."""

import re

from chart.rendering import ROOT

NAMED = re.compile(r"`(test_\w+|tests/[a-z0-9_/]+\.py)`")
MADE = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_every_test_that_the_document_names_is_there() -> None:
    there = set[str]()
    for path in (ROOT / "tests").rglob("test_*.py"):
        there |= {path.stem, str(path.relative_to(ROOT)), *MADE.findall(path.read_text())}
    named = set(NAMED.findall((ROOT / "docs" / "security.md").read_text()))
    assert len(named) > 10 and not named - there, "named, but not there"
