"""Loops: one task, again and again."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Expression, Model
from tradewind.model.duration import Duration


class Loop(Model):
    """Runs the task again after each success, until a condition holds. Each iteration is an attempt, with a budget of retries of its own."""

    until: Annotated[Expression, Field(min_length=1)]
    """CEL over `outputs` (those of the iteration), `iteration` (from 1), params, run and item: true ends the loop, and the task has
    succeeded."""
    max_iterations: Annotated[int, Field(ge=1, le=1_000)] = 10
    """After so many iterations the task fails, unless `until` holds."""
    delay: Duration | None = None
    """Time between two iterations; none when absent."""
