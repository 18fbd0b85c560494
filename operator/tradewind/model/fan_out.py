"""Fan-out: one task, many items."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, IntOrExpression, Model, Name, Opaque, Text, crd, rule

MAX_ITEMS = 10_000
"""Items of one fan-out, and tasks and items of one run together."""


class Range(Model):
    """Whole numbers, as many languages count them."""

    start: IntOrExpression = 0
    """The first number; a number or `$[[ CEL ]]`."""
    stop: IntOrExpression
    """Where to end; this number itself is left out. A number or `$[[ CEL ]]`."""
    step: IntOrExpression = 1
    """From one number to the next; negative to count down. A number or `$[[ CEL ]]`."""


class Matrix(Model):
    """Every combination of the values of some axes; an item is an object with a value per axis."""

    axes: Annotated[dict[Annotated[str, Field(max_length=63)], Anything], Field(min_length=1, max_length=16)]
    """Values by axis: lists, or `$[[ CEL ]]` that give lists."""
    exclude: Annotated[list[Opaque], Field(max_length=256)] = []
    """Combinations to leave out: those that have all the values given, e.g. {os: linux}."""
    include: Annotated[list[Opaque], Field(max_length=256)] = []
    """Items to add after the combinations, whatever their keys."""


class ForEach(Model):
    """What a task is run for. Each item is a pod with attempts of its own; expressions of the task know `item` and `index`."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                # A rule can't see `items`, which has no type: that there is one of all four is checked elsewhere.
                rule(
                    "(has(self.range) ? 1 : 0) + (has(self.matrix) ? 1 : 0) + (has(self.itemsOf) ? 1 : 0) <= 1",
                    "write one of items, range, matrix and itemsOf",
                )
            ]
        )
    )

    items: Anything = None
    """A list, or one `$[[ CEL ]]` that gives a list: of a param, of an output."""
    range: Range | None = None
    """Whole numbers."""
    matrix: Matrix | None = None
    """Every combination of some lists."""
    items_of: Name | None = None
    """A fan-out that this task depends on: the same items, and an item starts as soon as its counterpart there has ended, by the
    task's trigger rule. Its expressions see the counterpart's outputs and state."""
    name: Text = ""
    """What people call an item, e.g. `$[[ item.region ]]`; its index when empty."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many items run at once; as many as other limits allow when absent."""
    fail_fast: bool = False
    """When true, and the fan-out can't succeed any more, no further item starts and those that run are stopped."""
    min_success_ratio: Annotated[float, Field(ge=0, le=1)] = 1
    """Share of the items (but for skipped ones) that must succeed for the task to succeed."""
