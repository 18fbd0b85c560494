"""How long pure work may go on at a stretch: decided by who runs it.

What tenants write decides how much there is to do. Loops over it call `pause` between two items, and whoever runs them on an event loop
lets other work have its turn there. Expressions that may take long are handed to `evaluate`, which may do that in another process. Without
a pace, as in the CLI and in tests, all is done at once and in place.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression, the variables that it was compiled against (dotted names and types), and the values of those that it names."""

    expression: str
    variables: tuple[tuple[str, str], ...]
    values: Mapping[str, Any]


class Pace(Protocol):
    """Whoever runs pure work on an event loop."""

    def pause(self) -> None:
        """Lets others have their turn, if it is time for that."""

    @property
    def spent(self) -> bool:
        """Whether this piece of work has used up its time, and should stop where it can be taken up again."""

    def evaluate(self, evaluation: Evaluation) -> Any:
        """The value of an expression that may take long, as plain data. Raises ExpressionError."""


_current: ContextVar[Pace | None] = ContextVar("pace", default=None)


def current() -> Pace | None:
    """Who runs this; None where it is done at once."""
    return _current.get()


def pause() -> None:
    """Between two items of a loop whose length tenants decide."""
    if pace := _current.get():
        pace.pause()


def spent() -> bool:
    """Whether to stop, after a `pause`: for work that can be taken up again."""
    pace = _current.get()
    return pace is not None and pace.spent


@contextmanager
def at(pace: Pace) -> Iterator[None]:
    """Runs what is inside at a pace."""
    token = _current.set(pace)
    try:
        yield
    finally:
        _current.reset(token)
