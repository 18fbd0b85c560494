"""The budget for checking one document: tenants decide how much there is to check."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tradewind.plan import pacing
from tradewind.plan.documents.problem import Invalid, Problem

COMPARISONS = 2_000
"""Comparisons of names. Each takes up to 250 microseconds."""
TRIALS = 2_000_000.0
"""Microseconds that trying constants takes, by the price that is known before: most take far less."""
TOO_LONG = Problem("spec", "takes too long to check", "use fewer and shorter expressions, and compute in tasks")


@dataclass(slots=True)
class Budget:
    """What is left for a document."""

    comparisons: int = COMPARISONS
    trials: float = TRIALS
    tried: set[str] = field(default_factory=set)
    """Constants that are paid for."""
    wrong: int = 0
    """Expressions of templates that were found to be wrong: after enough of them no more are looked for."""

    def compare(self, times: int) -> bool:
        """Whether names may be compared so many times; that is taken off then."""
        if times > self.comparisons:
            return False
        self.comparisons -= times
        return True

    def attempt(self, constant: str, price: float) -> bool:
        """Whether a constant may be tried, which takes so many microseconds; these are taken off the first time."""
        if constant not in self.tried:
            if price > self.trials:
                return False
            self.trials -= price
            self.tried.add(constant)
        return True


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget:
    """The budget of the document that is checked; a new one where nobody has said that there is one."""
    return _current.get() or Budget()


@contextmanager
def document() -> Iterator[None]:
    """All that is inside is about one document, and shares its budget. Inside of another one it shares that."""
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
    """What is inside checks a document that nobody has checked yet. Raises Invalid when that takes too long."""
    try:
        with pacing.limited():
            yield
    except pacing.Exhausted:
        raise Invalid([TOO_LONG]) from None
