"""Output of the commands. Nothing from a cluster, a file or a server reaches a terminal as a control sequence or as
markup.

The commands print with these functions only; the linter refuses others (pyproject.toml, banned-api).
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import click
import rich.console
import rich.text
import yaml
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style

from tradewind.cli.output.yaml_text import Readable
from tradewind.model.shown import coloured, shown, uncoloured

WIDE = 100_000
"""Columns when the output need not fit a screen."""


class Text(rich.text.Text):
    """Rich's Text, with control characters made visible."""

    def __init__(self, text: str = "", *rest: Any, **more: Any) -> None:
        super().__init__(shown(text), *rest, **more)

    def append(self, text: "rich.text.Text | str", style: str | Style | None = None) -> "Text":
        """Appends a text."""
        super().append(shown(text) if isinstance(text, str) else text, style)
        return self


class Unpadded:
    """A table without blanks at the ends of its rows: one long cell does not lengthen the other rows."""

    def __init__(self, table: RenderableType) -> None:
        self._table = table

    def __rich_console__(self, console: rich.console.Console, options: ConsoleOptions) -> Iterable[Segment]:
        for line in console.render_lines(self._table, options, pad=False):
            while line and not line[-1].text.rstrip(" "):
                line.pop()
            if line:
                line[-1] = Segment(line[-1].text.rstrip(" "), line[-1].style)
            yield from line
            yield Segment.line()


class Console(rich.console.Console):
    """Rich's Console, with control characters made visible and without markup: `[/x]` is text. Output that is not a
    terminal gets no colours, and lines of any length."""

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False) -> None:
        terminal = _obeys(sys.stderr if stderr else sys.stdout)
        super().__init__(
            stderr=stderr,
            soft_wrap=soft_wrap,
            markup=False,
            highlight=False,
            emoji=False,
            force_terminal=terminal,
            width=None if (sys.stderr if stderr else sys.stdout).isatty() else WIDE,
        )

    def print_whole(self, table: RenderableType) -> None:
        """Prints a table at its full width, without cutting or folding."""
        self.print(Unpadded(table), width=WIDE, crop=False, no_wrap=True, overflow="ignore")

    def render_str(self, text: str, **how: Any) -> rich.text.Text:
        """A text as it is printed."""
        return super().render_str(shown(text), **how | {"markup": False, "emoji": False, "highlight": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The printed segments. Last check of texts that were assembled by other means."""
        for segment in super().render(renderable, options):
            clean = segment.control or (text := shown(segment.text)) == segment.text
            yield segment if clean else Segment(text, segment.style)

    def log(self, line: str) -> None:  # type: ignore[override]
        """Prints a line of a task's output."""
        if self.is_terminal:
            self.file.write(f"{coloured(line)}\n")
        else:
            self.print(uncoloured(line) if self.file.isatty() else line, soft_wrap=True)


def _obeys(stream: TextIO) -> bool:
    """Whether a stream is a terminal that may be sent escapes: colours, cursor movements, titles."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _of_log(line: str) -> str:
    """A line of a task's output, for a terminal."""
    return coloured(line) if _obeys(sys.stdout) else uncoloured(line)


def log_text(lines: Iterable[str]) -> rich.text.Text:
    """Lines of tasks' output, with colours as the only control sequences."""
    return rich.text.Text.from_ansi("\n".join(map(coloured, lines)))


def say(text: str, err: bool = False) -> None:
    """Prints a text."""
    click.echo(shown(text), err=err)


def say_data(data: Any, output: str) -> None:
    """Prints data for programs, as `json` or `yaml`."""
    if output == "yaml":
        say_document(yaml.dump(data, Dumper=Readable, sort_keys=False, allow_unicode=True, width=120))
    else:
        click.echo(shown(json.dumps(data, indent=2, ensure_ascii=False)))


def say_document(text: str) -> None:
    """Prints a document that ends with a newline: unchanged for programs, with control characters made visible for a
    terminal."""
    click.echo(shown(text) if sys.stdout.isatty() else text, nl=False)


def say_log(line: str) -> None:
    """Prints a line of a log: unchanged for programs; a terminal gets colours as its only control sequences."""
    sys.stdout.write(f"{_of_log(line) if sys.stdout.isatty() else line}\n")
    sys.stdout.flush()


class ShownFormatter(logging.Formatter):
    """Formats log lines with control characters made visible."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        return shown(super().format(record))
