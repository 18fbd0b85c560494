"""Limits how long pure work runs without a pause; the caller decides.

What tenants write decides how much there is to do. Loops over it call `pause` between two items, and whoever runs them on an event loop
lets other work have its turn there. Expressions that may take long are handed to `evaluate`, which may do that in another process. Without
a pace, as in the CLI and in tests, all is done at once and in place."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression, the variables that it was compiled against (dotted names and types), the values of those that it names, and how many
    microseconds evaluating it takes at most."""

    expression: str
    variables: tuple[tuple[str, str], ...]
    values: Mapping[str, Any]
    time: float = float("inf")


class Pace(Protocol):
    """Whoever runs pure work on an event loop."""

    def pause(self) -> None:
        """Lets others have their turn, if it is time for that."""

    @property
    def spent(self) -> bool:
        """Whether this piece of work has used up its time, and should stop where it can be taken up again."""

    @property
    def exhausted(self) -> bool:
        """Whether it has used many times that: what can't be taken up again is given up then."""
        return False

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


def each(items: Iterable[T]) -> Iterator[T]:
    """The items, with a pause before each."""
    for item in items:
        pause()
        yield item


def spent() -> bool:
    """Whether to stop, after a `pause`: for work that can be taken up again."""
    pace = _current.get()
    return pace is not None and pace.spent


class TooLong(Exception):
    """An expression may take long, and there is no time for that."""


class Exhausted(Exception):
    """Work that can't be taken up again has taken too long."""


class _Around(Pace):
    """Another pace, with a difference."""

    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace

    def pause(self) -> None:
        if self._pace:
            self._pace.pause()

    @property
    def spent(self) -> bool:
        return self._pace is not None and self._pace.spent

    @property
    def exhausted(self) -> bool:
        return self._pace is not None and self._pace.exhausted


class _Limited(_Around):
    """Gives up in time."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(pace)
        self._evaluate = pace.evaluate

    def pause(self) -> None:
        super().pause()
        if self.exhausted:
            raise Exhausted

    def evaluate(self, evaluation: Evaluation) -> Any:
        return self._evaluate(evaluation)


class _Hurried(_Around):
    """Has no time for what may take long."""

    def evaluate(self, evaluation: Evaluation) -> Any:
        raise TooLong(evaluation.expression)


@contextmanager
def hurried() -> Iterator[None]:
    """What is inside evaluates nothing that may take long. Raises TooLong."""
    with at(_Hurried(_current.get())):
        yield


@contextmanager
def limited() -> Iterator[None]:
    """What is inside is given up at a pause when it has taken too long. Raises Exhausted."""
    pace = _current.get()
    if pace is None:
        yield
        return
    with at(_Limited(pace)):
        yield


@contextmanager
def at(pace: Pace) -> Iterator[None]:
    """Runs what is inside at a pace."""
    token = _current.set(pace)
    try:
        yield
    finally:
        _current.reset(token)
