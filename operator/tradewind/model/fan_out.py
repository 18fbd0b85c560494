"""Fan-out: one task, many items."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, IntOrExpression, Model, Name, Opaque, Text, crd, rule

MAX_ITEMS = 10_000
"""Maximum items of one fan-out, and of tasks and items of one run together."""


class Range(Model):
    """A sequence of integers."""

    start: IntOrExpression = 0
    """First number: an integer or `$[[ CEL ]]`."""
    stop: IntOrExpression
    """End of the sequence (exclusive): an integer or `$[[ CEL ]]`."""
    step: IntOrExpression = 1
    """Difference between two numbers; negative to count down. An integer or `$[[ CEL ]]`."""


class Matrix(Model):
    """All combinations of the values of several axes. Each item is an object with one value per axis."""

    axes: Annotated[dict[Annotated[str, Field(max_length=63)], Anything], Field(min_length=1, max_length=16)]
    """Values by axis: lists, or `$[[ CEL ]]` that returns a list."""
    exclude: Annotated[list[Opaque], Field(max_length=256)] = []
    """Combinations to leave out: those that have all the given values, e.g. {os: linux}."""
    include: Annotated[list[Opaque], Field(max_length=256)] = []
    """Items to add after the combinations; they may have any keys."""


class ForEach(Model):
    """The items to run a task for. Each item is a pod with attempts of its own. The task's expressions can use `item`
    and `index`."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                # A rule can't see `items`, which has no type; another check requires one of all four.
                rule(
                    "(has(self.range) ? 1 : 0) + (has(self.matrix) ? 1 : 0) + (has(self.itemsOf) ? 1 : 0) <= 1",
                    "write one of items, range, matrix and itemsOf",
                )
            ]
        )
    )

    items: Anything = None
    """A list, or one `$[[ CEL ]]` that returns a list, e.g. of a param or an output."""
    range: Range | None = None
    """A sequence of integers."""
    matrix: Matrix | None = None
    """All combinations of several lists."""
    items_of: Name | None = None
    """Name of a fan-out that this task depends on; this task has the same items. Each item starts, by the task's
    trigger rule, as soon as its counterpart has ended. Its expressions see the outputs and the state of the
    counterpart."""
    name: Text = ""
    """Display name of an item, e.g. `$[[ item.region ]]`. Defaults to its index."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Maximum number of items that run at once. No limit of its own when absent."""
    fail_fast: bool = False
    """If true, when the fan-out can no longer succeed, no further items start and running ones are stopped."""
    min_success_ratio: Annotated[float, Field(ge=0, le=1)] = 1
    """Share of the items, not counting skipped ones, that must succeed for the task to succeed."""
