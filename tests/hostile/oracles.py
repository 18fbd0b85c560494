"""What is checked while inputs are played, and what was found."""

import contextlib
import os
import re
import socket
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .inputs import Input

LIMITS = {"bystander": 5.0, "lag": 1.0, "late": 5.0}
"""Seconds: in which a run of another namespace ends, that the event loop may block, that a run may end after its
timeout."""
MOST = 8.0
"""The maximum factor by which a machine counts as slower than at its best."""
WINDOW = 10.0
"""Seconds over which the others' share of the processors is measured."""
MEMORY, WHOLE = 256, 512
"""MiB of the operator, and together with its worker processes; shared memory counts once."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What others noticed of the inputs; `input` if it is known which one."""

    oracle: str
    words: str
    input: Input | None = None

    def __str__(self) -> str:
        return f"{self.oracle}: {self.words}" + (f" [{self.input.generator}: {self.input.what}]" if self.input else "")


@dataclass
class Outcome:
    """The outcome of a batch."""

    violations: list[Violation] = field(default_factory=list)
    stored: int = 0
    """Objects that the API server accepted."""
    refused: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    """Mallory's runs, by phase."""
    others: list[float] = field(default_factory=list)
    """Seconds that runs of the bystander took."""
    lag: float = 0.0
    memory: int = 0
    whole: int = 0


class Machine:
    """How much slower than at its best this machine is for us, since others may use it. Limits are stretched by it, up
    to a bound. What the campaign's own processes take never counts: that may be the inputs' doing."""

    def __init__(self) -> None:
        self._best, self._recent = float("inf"), [0.0] * 5
        self._looks: deque[tuple[float, float]] = deque()
        self.look()

    def look(self) -> None:
        began = time.perf_counter()
        sum(range(100_000))
        took = time.perf_counter() - began
        self._best = min(self._best, took)
        self._recent = [*self._recent[1:], took]
        now = time.monotonic()
        self._looks.append((now, busy() - spent(os.getpid())))
        while now - self._looks[0][0] > WINDOW:
            self._looks.popleft()

    @property
    def burden(self) -> float:
        """1 for none."""
        return min(MOST, max(1.0, max(self._recent) / self._best, self._crowd))

    @property
    def _crowd(self) -> float:
        """All processors by those that others left."""
        (began, before), (now, after) = self._looks[0], self._looks[-1]
        cores = os.cpu_count() or 1
        others = max(0.0, after - before) / (now - began) if now > began else 0.0
        return cores / max(cores - others, cores / MOST)


def busy() -> float:
    """Processor seconds that this machine, or those beside it, took since its start."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def spent(pid: int) -> float:
    """Processor seconds of a process, of its children, and of those that have ended."""
    total = 0.0
    with contextlib.suppress(OSError):
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        total = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += spent(int(child))
    return total


def memory(pid: int, children: bool = True) -> int:
    """MiB of a process, and of its children."""
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) // 1_024
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += memory(int(child)) if children else 0
    return total


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


_TRACE = re.compile(r"^Traceback [^\n]*\n(?:[ \n][^\n]*\n)+(\S[^\n]*)", re.MULTILINE)
_NAMED = re.compile(r"\b(i[0-9]+)\b")


def exceptions(log: str, by_name: Mapping[str, Input]) -> list[Violation]:
    """Exceptions that the operator has logged, each once: nobody anticipated their causes."""
    found: dict[str, Violation] = {}
    for trace in _TRACE.finditer(log):
        before = " ".join(log[: trace.start()].rsplit("\n", 2)[-2:])
        named = _NAMED.search(before)
        found.setdefault(trace[1], Violation("exception", trace[1][:200], by_name.get(named[1]) if named else None))
    return list(found.values())
