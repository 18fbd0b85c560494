"""Problems of a document, for its author."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

ENOUGH = 100
"""Problems of one kind that are reported: nobody reads more, and each message takes time."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Where, what is wrong, and what to write instead."""

    path: str
    what: str
    instead: str = ""
    source: str = ""
    """The place in a template, if `path` is only the place of the template's use."""
    unquoted: bool = False
    """Whether quotes would fix it; code that knows the source text can say so."""
    rests: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Other fields that it follows from, and with `[*]` also all that is in one: if one of them could not be read, it may be
    no problem."""

    def resting(self, *fields: str) -> "Problem":
        """The same, which follows from other fields too."""
        return replace(self, rests=fields)

    def moved(self, base: str) -> "Problem":
        """The same of a spec that is at `base` in its document."""

        def at(path: str) -> str:
            return base + path.removeprefix("spec") if re.match(r"spec\b", path) else path

        return replace(self, path=at(self.path), rests=tuple(map(at, self.rests))) if base != "spec" else self

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
    """The first of the problems; if there are more, one at `path` says so, and the search ends."""
    rest = iter(problems)
    yield from islice(rest, ENOUGH)
    if next(rest, None):
        yield more(path)


def more(path: str) -> Problem:
    """Stands for further problems that are not searched for."""
    return Problem(path, f"more than {ENOUGH} problems of this kind", "fix these first")


def summary(problems: Sequence[Problem], limit: int = 10) -> str:
    """Problems in one text of bounded length, for a condition."""
    lines = [str(problem)[:800] for problem in problems[:limit]]
    if len(problems) > limit:
        lines.append(f"and {len(problems) - limit} more")
    return "\n".join(lines)[:4_096]
