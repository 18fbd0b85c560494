"""Habits of language that should not come back: what users and developers read is plain technical English."""

import io
import re
import tokenize
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
COMMENTS = re.compile(
    r"\b(for ever|anew|under way|dealt with|whoever|somebody|his|himself|for want of|bears?|gone over|given up|passed over|worked out"
    r"|taken over|those of none|none of ours|brings? on|brought on|goes? on|looks? (at|again)|looked at|tells? of|told of|(is|are) told"
    r"|hears? of|takes? note|at hand|it is said|who is|is there|comes? (to nothing|of)|come to|in the place of|so many|ours?|we)\b",
    re.IGNORECASE,
)
"""Instead: forever, never returns; again; active; processed; anyone who; someone; their; for lack of; has; visited;
abandoned; skipped; computed; reused; those without one; ignored; reconciles; continues; reads, checks; reports; is
called with; follows; records; in memory; exists; fails; becomes; instead of; the operator."""
COMMENT_PLACES = ("operator/**/*.py", "bench/*.py", "tests/**/*.py")
"""Where docstrings and comments are free of them."""
LEFT = {"docs/findings.md", "CHANGELOG.md"}
"""They describe the past."""


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


def test_docstrings_and_comments_have_no_unusual_words() -> None:
    paths = [path for place in COMMENT_PLACES for path in ROOT.glob(place)]
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]}: {match[0]}"
        for path in sorted(paths)
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.COMMENT or token.string.startswith('"""')
        for match in COMMENTS.finditer(" ".join(token.string.split()))
    ]
    assert len(paths) > 800 and found == []
