"""The parts of a document that can't be read, and which problems of the rest may only follow from that."""

import re
from collections.abc import Iterable, Iterator

from tradewind.plan import pacing
from tradewind.plan.documents.problem import Problem

_STEP = re.compile(r"[.\[]")


class Unread:
    """Fields by their paths; `meant` are those that unknown fields may be meant for."""

    def __init__(self, paths: Iterable[str] = (), meant: Iterable[str] = ()) -> None:
        self.paths = frozenset(pacing.each(paths))
        self.all = self.paths.union(pacing.each(meant))
        self._around = frozenset(above for path in pacing.each(self.all) for above in _above(path))

    def __bool__(self) -> bool:
        return bool(self.paths)

    def holds(self, path: str) -> bool:
        """Whether a field is, or may be, among them or within one of them."""
        return any(
            place in self.all or any(above in self.all for above in _above(place)) for place in self._places(path)
        )

    def touches(self, path: str) -> bool:
        """Whether that is so for a field or anything in it."""
        return any(place in self._around for place in self._places(path)) or self.holds(path)

    def _places(self, path: str) -> Iterator[str]:
        """Where a field can be written."""
        yield path

    def without_followers(self, found: Iterable[Problem]) -> list[Problem]:
        """The problems that don't follow from what could not be read."""
        return [problem for problem in pacing.each(found) if not self._causes(problem)] if self else [*found]

    def _rested(self, path: str) -> bool:
        return self.touches(path.removesuffix("[*]")) if path.endswith("[*]") else self.holds(path)

    def _causes(self, problem: Problem) -> bool:
        if self.holds(problem.path) or any(map(self._rested, problem.rests)):
            return True
        return self.holds(f"{problem.path.rpartition('.')[0]}.type")  # a value of unknown type can't be checked


def _above(path: str) -> Iterator[str]:
    """The fields around a field, from the outermost."""
    return (path[: match.start()] for match in _STEP.finditer(path))
