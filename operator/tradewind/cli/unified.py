"""Two objects as YAML, and what differs between them."""

import difflib
from collections.abc import Iterator
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

LOOKS = {"+": "green", "-": "red", "@": "cyan"}


class _Dumper(yaml.SafeDumper):
    """Scripts as blocks, so that a changed line is one line."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def lines(value: Any) -> list[str]:
    """YAML, sorted by key: an API server keeps no order. Nothing at all for None."""
    if value is None:
        return []
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=10_000)
    return text.splitlines()


def unified(before: Any, after: Any, old: str, new: str) -> Iterator[str]:
    """The lines of a unified diff; none where nothing differs."""
    return difflib.unified_diff(lines(before), lines(after), old, new, lineterm="")


def show(difference: list[str]) -> None:
    """Prints it, in colours on a terminal."""
    console = Console()
    for at, line in enumerate(difference):
        style = "bold" if at < 2 else LOOKS.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)
