"""Habits of language that should not come back: what users and developers read is plain technical English."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = re.compile(r"\b(mend(s|ed|ing)?|dawdl\w+|said aloud|laid down|gone over|nobody raises his)\b", re.IGNORECASE)
"""With what to write instead: fix; slow clients; warns; recorded; visited; grants nobody more rights."""
PLACES = ("operator/**/*.py", "crds/*.yaml", "charts/**/*.yaml", "charts/**/*.md", "docs/*.md", "*.md")
LEFT = {"docs/findings.md", "CHANGELOG.md"}
"""They tell of what was."""


def test_the_worst_habits_are_gone() -> None:
    paths = {path for place in PLACES for path in ROOT.glob(place) if str(path.relative_to(ROOT)) not in LEFT}
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in sorted(paths)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in WORDS.finditer(line)
    ]
    assert len(paths) > 300 and found == []
