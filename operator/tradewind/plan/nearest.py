"""The name that somebody meant who wrote another one."""

import difflib
from collections.abc import Iterable

ALIKE = 0.7
"""How alike two names have to be, from 0 to 1."""
COMPARED = 2_000
"""Names that are compared at most: comparing takes microseconds for each."""
SHORTENED = 3
"""Characters of the beginning of a name that stand for it: `int` for `integer`."""
LONGEST = 64
"""Characters of a name that are compared."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that a word is closest to; empty when none is close. `depends_on`, `DependsOn` and `dependOn` are all close to
    `dependsOn`."""
    names = {_plain(name): name for name in [*dict.fromkeys(known)][:COMPARED][::-1]}
    plain = _plain(word)
    if plain in names:
        return names[plain]
    begun = [name for name in names if len(plain) >= SHORTENED and name.startswith(plain)]
    if len(begun) == 1:
        return names[begun[0]]
    found = difflib.get_close_matches(plain, names, 1, ALIKE)
    return names[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`; empty when no known name is close."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else ""


def choose(word: str, known: Iterable[str], there: str) -> str:
    """What to write instead of a name that is not there: the nearest one, if any, and `there`, which says what there is."""
    guess = did_you_mean(word, known)
    return f"{guess} {there}" if guess else there


def _plain(name: str) -> str:
    return name[:LONGEST].lower().replace("_", "").replace("-", "").replace(" ", "")
