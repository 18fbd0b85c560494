"""What a source of triggers is: it is looked at, and says what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tradewind.control.triggers.run_maker import TriggerSnapshot

Key = tuple[str, str]
"""Namespace and name of a trigger."""


class NotReady(Exception):
    """Something has to be fixed before the trigger can fire. The message says what, the reason why in one word; `status` is what can be
    said all the same."""

    def __init__(self, message: str, reason: str = "", status: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason, self.status = reason, status or {}


@dataclass(slots=True)
class SourceResult:
    """What a source did. `status` are fields of the trigger's status, `at` is when (epoch seconds) it wants to look again."""

    status: dict[str, Any] = field(default_factory=dict)
    at: float | None = None


class Source(Protocol):
    """What makes triggers fire."""

    written_first: bool
    """Whether what it makes of things can't be worked out again: then its status is written down before it looks again, and only over
    what was read."""

    async def look(self, trigger: TriggerSnapshot) -> SourceResult:
        """Fires for everything that has happened. Raises Waits, ExpressionError and what the API raises; it is asked again then."""

    def forget(self, key: Key) -> None:
        """A trigger is gone, suspended, invalid or no longer of this source."""
