"""Differences between two objects, as YAML."""

import difflib
from collections.abc import Iterator
from typing import Any

import yaml

from tradewind.cli.output.terminal import Console, Text
from tradewind.cli.output.yaml_text import Readable

LOOKS = {"+": "green", "-": "red", "@": "cyan"}


def lines(value: Any) -> list[str]:
    """YAML, sorted by key, since an API server keeps no order; empty for None."""
    if value is None:
        return []
    text = yaml.dump(value, Dumper=Readable, sort_keys=True, allow_unicode=True, width=10_000)
    return text.splitlines()


def unified(before: Any, after: Any, old: str, new: str) -> Iterator[str]:
    """The lines of a unified diff; none if nothing differs."""
    return difflib.unified_diff(lines(before), lines(after), old, new, lineterm="")


def show(difference: list[str]) -> None:
    """Prints a diff, in colours on a terminal."""
    console = Console()
    for at, line in enumerate(difference):
        style = "bold" if at < 2 else LOOKS.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)
