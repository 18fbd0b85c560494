"""Problems of a document, for its author."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

ENOUGH = 100
"""Problems of one kind that are looked for: nobody reads more, and each takes time to put into words."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Where, what is wrong, and what to write instead."""

    path: str
    what: str
    instead: str = ""
    source: str = ""
    """Where in a template it is, when `path` only says where that is used."""
    unquoted: bool = False
    """Whether it would be right in quotes; who knows how it is written can say so."""

    def __str__(self) -> str:
        more = f" ({self.source})" if self.source else ""
        return (
            (f"{self.path}: " if self.path else "") + self.what + (f"; {self.instead}" if self.instead else "") + more
        )


class Invalid(ValueError):
    """A document with problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(summary(self.problems))


def at_most(problems: Iterable[Problem], path: str) -> Iterator[Problem]:
    """The first of the problems; where there are more, one at `path` says so, and no other is looked for."""
    rest = iter(problems)
    yield from islice(rest, ENOUGH)
    if next(rest, None):
        yield more(path)


def more(path: str) -> Problem:
    """What stands for problems that are not looked for any more."""
    return Problem(path, f"more than {ENOUGH} problems of this kind", "fix these first")


def summary(problems: Sequence[Problem], limit: int = 10) -> str:
    """Problems in one text, bounded: it goes into a condition."""
    lines = [str(problem)[:800] for problem in problems[:limit]]
    if len(problems) > limit:
        lines.append(f"and {len(problems) - limit} more")
    return "\n".join(lines)[:4_096]
