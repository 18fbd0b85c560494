"""The facts about one object: a label and a value per line."""

from collections.abc import Sequence

from tradewind.cli.output.terminal import Text

WIDTH = 12
"""Minimum width of the labels."""


def labelled(facts: Sequence[tuple[str, str]]) -> list[Text]:
    """The lines, with all values aligned."""
    width = max([WIDTH, *(len(label) + 1 for label, _ in facts)])
    return [Text(f"{label + ':':{width}} {value}") for label, value in facts]
