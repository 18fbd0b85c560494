"""A terminal: what is typed into it, and what it finally shows."""

import os
import pty
import re
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b\][^\x07]*\x07|\r|\n|[^\x1b\r\n]+")


def in_terminal(folder: Path, arguments: Sequence[str], typed: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Runs `tradewind`; returns its exit code and all output. Each text is typed once its prompt has been shown after
    the previous text was typed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "tradewind.cli", *arguments]
        os.execve(sys.executable, command, {**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"})
    left, shown, seen, until = list(typed), "", 0, time.monotonic() + 100
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                shown += os.read(terminal, 65_536).decode(errors="replace")
            except OSError:  # the other side has ended
                break
        if left and (at := shown.find(left[0][0], seen)) >= 0:
            seen = at + len(left[0][0])
            os.write(terminal, left.pop(0)[1].encode())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def lines_of(written: str) -> list[str]:
    """The lines that a terminal of any height finally shows."""
    lines, row, column = [""], 0, 0
    for piece in PIECE.finditer(written):
        match piece[2], piece[0]:
            case "A", _:
                row = max(0, row - int(piece[1] or 1))
            case "K", _:
                lines[row] = "" if piece[1] == "2" else lines[row][:column]
            case None, "\r":
                column = 0
            case None, "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            case None, text if not text.startswith("\x1b"):
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
                column += len(text)
    return [line.rstrip() for line in lines]
