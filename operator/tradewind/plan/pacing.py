"""Limits how long pure work runs without a pause, by a policy of the caller.

Tenants decide how much work there is. Loops over it call `pause` between two items, where a caller with an event loop
gives it back. Expensive expressions go to `evaluate`, which may use another process. Without a pace, as in the CLI and
in tests, all work is done at once and in place."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An expression, the variables that it was compiled against (dotted names and types), the values of those that it
    names, and the maximum microseconds of its evaluation."""

    expression: str
    variables: tuple[tuple[str, str], ...]
    values: Mapping[str, Any]
    time: float = float("inf")


class Pace(Protocol):
    """The policy of a caller that runs pure work on an event loop."""

    def pause(self) -> None:
        """Lets other work run if it is time to."""

    @property
    def spent(self) -> bool:
        """Whether this piece of work has used up its time and should stop where it can be resumed."""

    @property
    def exhausted(self) -> bool:
        """Whether it has used many times that: work that can't be resumed is then abandoned."""
        return False

    def evaluate(self, evaluation: Evaluation) -> Any:
        """The value of an expensive expression, as plain data. Raises ExpressionError."""


_current: ContextVar[Pace | None] = ContextVar("pace", default=None)


def current() -> Pace | None:
    """The current pace; None if work is done at once."""
    return _current.get()


def pause() -> None:
    """A pause between two items of a loop whose length tenants decide."""
    if pace := _current.get():
        pace.pause()


def each(items: Iterable[T]) -> Iterator[T]:
    """The items, with a pause before each."""
    for item in items:
        pause()
        yield item


def spent() -> bool:
    """Whether to stop, after a `pause`; for work that can be resumed."""
    pace = _current.get()
    return pace is not None and pace.spent


class TooLong(Exception):
    """An expression may take long, and there is no time for it."""


class Exhausted(Exception):
    """Work that can't be resumed has taken too long."""


class _Around(Pace):
    """Wraps another pace."""

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
    """Abandons work that takes too long."""

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
    """Refuses expensive expressions."""

    def evaluate(self, evaluation: Evaluation) -> Any:
        raise TooLong(evaluation.expression)


@contextmanager
def hurried() -> Iterator[None]:
    """Evaluates no expensive expression inside. Raises TooLong."""
    with at(_Hurried(_current.get())):
        yield


@contextmanager
def limited() -> Iterator[None]:
    """Abandons the work inside at a pause when it has taken too long. Raises Exhausted."""
    pace = _current.get()
    if pace is None:
        yield
        return
    with at(_Limited(pace)):
        yield


@contextmanager
def at(pace: Pace) -> Iterator[None]:
    """Runs the work inside at a pace."""
    token = _current.set(pace)
    try:
        yield
    finally:
        _current.reset(token)
