"""What is known of one object: a label and a value a line."""

from collections.abc import Sequence

from tradewind.cli.output.terminal import Text

WIDTH = 12
"""Columns of the labels, at least."""


def labelled(facts: Sequence[tuple[str, str]]) -> list[Text]:
    """The lines, with all values below one another."""
    width = max([WIDTH, *(len(label) + 1 for label, _ in facts)])
    return [Text(f"{label + ':':{width}} {value}") for label, value in facts]
