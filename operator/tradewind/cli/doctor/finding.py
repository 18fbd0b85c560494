"""What the doctor says."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tradewind.cli.doctor.facts import Unknown


class Level(StrEnum):
    """How things are."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing, and what to do about it."""

    check: str
    level: Level
    what: str
    do: str = ""

    def data(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


Found = Iterator[tuple[Level, str, str]]
"""How things are, what was found out, and what to do."""


def unknown(fact: Unknown, what: str) -> tuple[Level, str, str]:
    """What is said of a fact that can't be had."""
    return Level.UNKNOWN, f"{what}: {fact.why}", ""
