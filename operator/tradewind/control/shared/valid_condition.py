"""The condition Valid, for every kind that people write, and its effect on Ready."""

from dataclasses import dataclass
from typing import Any

from tradewind.control.shared.conditions import condition, readiness
from tradewind.plan.dags.compile import TemplateNotFound
from tradewind.plan.documents.problem import Invalid


@dataclass(frozen=True, slots=True)
class Validity:
    """The result of a check: the reason is one word for programs, the message a sentence for people."""

    holds: bool
    reason: str
    message: str

    @classmethod
    def of(cls, error: Invalid) -> "Validity":
        """The result of a check that found a problem."""
        return cls(False, "TemplateNotFound" if isinstance(error, TemplateNotFound) else "Invalid", str(error))

    @classmethod
    def unchecked(cls, error: Exception) -> "Validity":
        """The result of a check that crashed. That is a fault of Tradewind, but the document can't be used."""
        return cls(False, "Invalid", f"it can't be checked: {type(error).__name__}: {error}"[:1_024])

    def status(
        self, before: Any, generation: int, now: float, phase: str = "", reason: str = "", message: str = ""
    ) -> dict[str, Any]:
        """The fields of a status for this result. `phase`, `reason` and `message` are for objects whose readiness depends on more than the
        check."""
        phase = (phase if self.holds else "") or ("Valid" if self.holds else "Invalid")
        why = (reason or phase, message) if self.holds else (self.reason, self.message)
        return {
            "observedGeneration": generation,
            "phase": phase,
            "conditions": [
                self.condition("Valid", before, generation, now),
                *readiness(phase, *why, before, generation, now),
            ],
        }

    def condition(self, kind: str, before: Any, generation: int, now: float) -> dict[str, Any]:
        """This result as a condition of a status."""
        return condition(kind, self.holds, self.reason, self.message, before, generation, now)
