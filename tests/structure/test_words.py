"""Habits of language that should not come back: what users and developers read is plain technical English."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = re.compile(r"\b(mend(s|ed|ing)?|dawdl\w+|said aloud|laid down|gone over|nobody raises his)\b", re.IGNORECASE)
"""With what to write instead: fix; slow clients; warns; recorded; visited; grants nobody more rights."""
PLACES = ("operator/**/*.py", "crds/*.yaml", "charts/**/*.yaml", "charts/**/*.md", "docs/*.md", "*.md")
READ = re.compile(
    r"\b(for ever|anew|under way|taken over|dealt with|whoever|itself included|comes? to nothing|held against|passed over"
    r"|(is|are) told|stands? in|the endpoint for events|those of none|for want of|what it is for)\b",
    re.IGNORECASE,
)
"""Instead: forever; again; active, in progress; reused; processed; users who; inclusive; fails; compared with; ignored; is
reported; is part of; the event endpoint; those without one; for lack of; purpose."""
READ_PLACES = ("crds/*.yaml", "charts/**/*.yaml", "charts/**/*.md", "docs/*.md", "docs/runbooks/*.md", "*.md")
"""What users read; descriptions of fields come from the models."""
LEFT = {"docs/findings.md", "CHANGELOG.md"}
"""They tell of what was."""


def _found(places: tuple[str, ...], words: re.Pattern[str]) -> tuple[int, list[str]]:
    paths = {path for place in places for path in ROOT.glob(place) if str(path.relative_to(ROOT)) not in LEFT}
    return len(paths), [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in sorted(paths)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in words.finditer(line)
    ]


def test_the_worst_habits_are_gone() -> None:
    count, found = _found(PLACES, WORDS)
    assert count > 300 and found == []


def test_what_users_read_has_no_unusual_words() -> None:
    count, found = _found(READ_PLACES, READ)
    assert count > 80 and found == []
