"""The budget for checking one document, since tenants decide how much there is to check."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tradewind.plan import pacing
from tradewind.plan.documents.problem import Invalid, Problem

COMPARISONS = 2_000
"""Comparisons of names. Each takes up to 250 microseconds."""
TRIALS = 2_000_000.0
"""Microseconds for trying constants, by their price in advance: most take far less."""
TOO_LONG = Problem("spec", "takes too long to check", "use fewer and shorter expressions, and compute in tasks")


@dataclass(slots=True)
class Budget:
    """The remaining budget of a document."""

    comparisons: int = COMPARISONS
    trials: float = TRIALS
    tried: set[str] = field(default_factory=set)
    """Constants that are paid for."""
    wrong: int = 0
    """Invalid expressions in templates: after enough of them the search ends."""

    def compare(self, times: int) -> bool:
        """Takes a number of comparisons off the budget; False if they don't fit."""
        if times > self.comparisons:
            return False
        self.comparisons -= times
        return True

    def attempt(self, constant: str, price: float) -> bool:
        """Takes the price of trying a constant, in microseconds, off the budget the first time; False if it doesn't
        fit."""
        if constant not in self.tried:
            if price > self.trials:
                return False
            self.trials -= price
            self.tried.add(constant)
        return True


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The budget of the current document; a new one outside of `document`."""
    return _current.get() or Budget()


@contextmanager
def document() -> Iterator[None]:
    """Shares one budget for one document. Nested in another document, it shares that one's budget."""
    if _current.get():
        yield
        return
    token = _current.set(Budget())
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def timed() -> Iterator[None]:
    """Limits the time for checking a document for the first time. Raises Invalid when it takes too long."""
    try:
        with pacing.limited():
            yield
    except pacing.Exhausted:
        raise Invalid([TOO_LONG]) from None
