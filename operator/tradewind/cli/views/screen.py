"""Shows a run in progress: redrawn on a terminal, elsewhere one line per change."""

import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType

from rich.console import RenderableType
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType

from tradewind.cli.output.terminal import Console, log_text, say
from tradewind.cli.views.run_rows import drawn
from tradewind.control.dagrun.run import Run
from tradewind.look.run_rows import Row, flat
from tradewind.look.unclaimed import unclaimed
from tradewind.model import duration
from tradewind.model.shown import counted, shown
from tradewind.plan.outcomes.state import FINAL, State

QUIET = 30.0
"""Seconds without output, elsewhere than on a terminal, after which the pending tasks are printed."""
NAMED = 3
"""Tasks that are named then."""
MARGIN = 4
"""Rows of the terminal that the picture leaves free."""
HELD = 1_000
"""Lines kept while a question is open; if there are more, the last ones."""


class Screen:
    """Shows one run, as a context: on a terminal the last picture stays. `words` maps a task's message to the text
    shown."""

    def __init__(self, console: Console, title: str, words: Callable[[str], str] = str) -> None:
        self.console, self._words = console, words
        self._live: Live | None = None
        if console.is_terminal:
            console.set_window_title(shown(title))
        self._last: tuple[Run, Sequence[Row]] | None = None
        self._said: dict[str, tuple[str, str]] = {}
        self._held: deque[Callable[[], None]] | None = None
        """Output to print after a question; None while no question is open."""
        self._left_out = 0
        self._spoke = time.monotonic()

    def __enter__(self) -> "Screen":
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erase()
        if self.console.is_terminal and self._last:
            self.console.print(drawn(*self._last))

    def show(self, run: Run, found: Sequence[Row]) -> None:
        """Shows the run's current state."""
        found = [_worded(row, self._words) for row in found]
        self._last = (run, found)
        if self.console.is_terminal:
            if self._live:
                self._live.update(self._picture(run, found))
            return
        rows = list(flat(found))
        for row in rows:
            self._tell(row)
        message = str(run.status.get("message") or unclaimed(run))
        self._print_line("", f"run {run.name}", run.phase or "Queued", message, "")
        if not run.final and self._held is None and time.monotonic() - self._spoke >= QUIET:
            why = f": {message}" if message else ""
            self.print(_still(rows) or f"still waiting: run {run.name} is {run.phase or 'Queued'}{why}")

    def log(self, label: str, lines: Sequence[str]) -> None:
        """Prints lines of a task's output."""
        if self._held is None:
            self._print(lambda: self._log([f"{label}{line}" for line in lines]))
            return
        for line in lines:  # held one by one, since the deque bounds lines
            self._print(partial(self._log, [f"{label}{line}"]))

    def print(self, text: str, style: str | None = None) -> None:
        """Prints a line that no task wrote."""
        self._print(lambda: self.console.print(text, style=style, soft_wrap=True))

    def interrupt(self, text: str) -> None:
        """Prints such a line, even while a question is open."""
        if not self.console.is_terminal:
            say(text, err=True)  # the reader of the pipe may have ended with the same Ctrl-C
            return
        if self._held is not None:
            self.console.print()
        else:  # the terminal has written ^C wherever the cursor was
            self.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
        self.console.print(text, soft_wrap=True)

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Hides the picture so that the user can type. Output is printed afterwards, so that it does not interrupt the
        question or the answer."""
        self._erase()
        self._held, self._left_out = deque(maxlen=HELD), 0
        try:
            yield
        finally:
            held, self._held = self._held, None
            if self._left_out:
                self.print(f"({counted(self._left_out, 'line')} left out; the folder of logs has all)", "dim")
            for write in held:
                self._print(write)
            self._draw()

    def _draw(self) -> None:
        """Starts a new picture: a restarted one would erase as many lines above it as it had before."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=8, transient=True)
            if self._last:
                self._live.update(self._picture(*self._last))
            self._live.start()

    def _erase(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _picture(self, run: Run, found: Sequence[Row]) -> RenderableType:
        return drawn(run, found, limit=max(5, self.console.height - MARGIN))

    def _print(self, write: Callable[[], None]) -> None:
        if self._held is not None:
            self._left_out += len(self._held) == HELD
            self._held.append(write)
            return
        self._spoke = time.monotonic()
        write()

    def _log(self, lines: Sequence[str]) -> None:
        if self.console.is_terminal:
            self.console.print(log_text(lines), soft_wrap=True)
        else:
            for line in lines:
                self.console.log(line)

    def _tell(self, row: Row) -> None:
        if row.state in FINAL or row.message or row.live:
            took = f" ({duration.text(row.seconds)})" if row.state in FINAL and row.seconds is not None else ""
            self._print_line(row.task, row.task, str(row.state), row.message, took)
        else:
            self._said.pop(row.task, None)

    def _print_line(self, key: str, name: str, state: str, message: str, took: str) -> None:
        """Prints a changed message. One in which only numbers differ counts as unchanged."""
        news = (state, re.sub(r"\d+", "0", message))
        if self._said.get(key) != news:
            self._said[key] = news
            self.print(f"{name}: {state}{took}{f': {message}' if message else ''}")


def _worded(row: Row, words: Callable[[str], str]) -> Row:
    parts = [replace(part, rows=[_worded(inner, words) for inner in part.rows]) for part in row.parts]
    return replace(row, message=words(row.message), parts=parts)


def _still(rows: Sequence[Row]) -> str:
    """What a run that has been quiet for a while waits for."""
    under_way = [row for row in rows if row.state not in FINAL and row.state is not State.BLOCKED and not row.parts]
    words = []
    for row in under_way[:NAMED]:
        lasts = f", {duration.text(round(row.seconds))}" if row.seconds is not None else ""
        words.append(f"{row.task} ({row.state}{lasts}{f': {row.message}' if row.message else ''})")
    more = len(under_way) - NAMED
    return f"still waiting for {', '.join(words)}{f' and {more} more' if more > 0 else ''}" if words else ""
