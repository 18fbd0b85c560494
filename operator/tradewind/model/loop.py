"""Loops: one task, repeated."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Expression, Model
from tradewind.model.duration import Duration


class Loop(Model):
    """Repeats the task after each success until a condition is true. Each iteration has attempts, and a retry budget,
    of its own."""

    until: Annotated[Expression, Field(min_length=1)]
    """CEL over `outputs` (of the iteration), `iteration` (from 1), params, run and item. When it is true, the loop ends
    and the task succeeds."""
    max_iterations: Annotated[int, Field(ge=1, le=1_000)] = 10
    """Maximum number of iterations. If `until` is still false after the last one, the task fails."""
    delay: Duration | None = None
    """Time between two iterations. No delay when absent."""
