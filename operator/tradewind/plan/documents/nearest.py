"""Suggests the name that the author of a wrong name probably meant.

The time to compare two names grows with the square of their length, and tenants decide the number of names: each
document has a budget, and only a limited number of names are compared with one."""

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from heapq import nlargest

from tradewind.plan import pacing
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Problem

ALIKE = 0.7
"""Minimum similarity of two names, from 0 to 1."""
SEEN = 2_000
"""Names considered per suggestion."""
COMPARED = 50
"""Names compared per suggestion: those whose beginning and end are most similar."""
SHORTENED = 3
"""Characters of the beginning of a name that may abbreviate it: `int` for `integer`."""
STEM = 5
"""Characters that two forms of one word begin with: `success` and `succeeded`."""
LONGEST = 64
"""Characters of a name that are compared."""
LISTED = 20
"""Names listed in one message."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that is closest to a word; empty if none is close. `depends_on`, `DependsOn` and `dependOn` are
    all close to `dependsOn`."""
    left = budget.current()
    if not left.compare(1):
        return ""
    names = {_plain(name): name for name in pacing.each([*dict.fromkeys(known)][:SEEN][::-1])}
    plain = _plain(word)
    if plain in names:
        return names[plain]
    begun = [name for name in names if len(plain) >= SHORTENED and name.startswith(plain)]
    if len(begun) == 1:
        return names[begun[0]]
    candidates = _candidates(plain, names)
    if not left.compare(max(len(candidates), len(names) // COMPARED)):
        return ""
    if found := _closest(plain, candidates):
        return names[found]
    kin = [name for name in candidates if len(plain) >= STEM and name.startswith(plain[:STEM])]
    return names[kin[0]] if len(kin) == 1 else ""


def _candidates(word: str, names: Iterable[str]) -> list[str]:
    """The names of similar length with the most similar beginning and end."""

    def ends(name: str) -> int:
        return sum(word[at] == name[at] for at in (0, 1, 2, -1, -2, -3) if -len(short) <= at < len(short))

    short = word[:SHORTENED]
    found = [name for name in names if 2 * min(len(name), len(word)) >= ALIKE * (len(name) + len(word))]
    return found if len(found) <= COMPARED else nlargest(COMPARED, found, key=ends)


def _closest(word: str, names: Iterable[str]) -> str:
    matcher = SequenceMatcher()
    matcher.set_seq2(word)
    best, found = ALIKE, ""
    for name in pacing.each(names):
        matcher.set_seq1(name)
        if matcher.quick_ratio() >= best and (ratio := matcher.ratio()) >= best and (ratio > best or not found):
            best, found = ratio, name
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`; empty if no known name is close."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else ""


def choose(word: str, known: Iterable[str], there: str) -> str:
    """What to write instead of an unknown name: the nearest one, if any, and `there`, which says what there is."""
    guess = did_you_mean(word, known)
    return f"{guess} {there}" if guess else there


def unknown_tasks(named: Iterable[tuple[str, str]], tasks: Iterable[str]) -> Iterator[Problem]:
    """Problems for names, each with its field path, that none of the tasks has."""
    there = ""
    for path, name in named:
        there = there or f"there are: {listed(tasks)}"
        yield Problem(path, f"there is no task {name!r}", choose(name, tasks, there))


def listed(names: Iterable[str]) -> str:
    """Names in one text, the first ones if there are many; `none` if empty."""
    found = sorted(pacing.each(names))
    more = f", and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"{', '.join(found[:LISTED])}{more}" if found else "none"


def _plain(name: str) -> str:
    return name[:LONGEST].lower().replace("_", "").replace("-", "").replace(" ", "")
