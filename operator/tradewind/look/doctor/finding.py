"""Findings of the doctor."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tradewind.look.doctor.facts import Unknown


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, and what to do about it."""

    check: str
    level: Level
    what: str
    do: str = ""

    def data(self) -> dict[str, Any]:
        """The finding for programs."""
        return asdict(self)


Found = Iterator[tuple[Level, str, str]]
"""Severity, finding, and what to do."""


def unknown(fact: Unknown, what: str) -> tuple[Level, str, str]:
    """The finding for a fact that is unknown."""
    return Level.UNKNOWN, f"{what}: {fact.why}", fact.do
