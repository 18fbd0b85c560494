"""The condition Valid, of everything that is written by people, and what it means for Ready."""

from dataclasses import dataclass
from typing import Any

from tradewind.control.shared.conditions import condition, readiness
from tradewind.plan.dags.compile import TemplateNotFound
from tradewind.plan.documents.problem import Invalid


@dataclass(frozen=True, slots=True)
class Validity:
    """What came of a check: the reason is one word for programs, the message a sentence for people."""

    holds: bool
    reason: str
    message: str

    @classmethod
    def of(cls, error: Invalid) -> "Validity":
        """Of a check that found something."""
        return cls(False, "TemplateNotFound" if isinstance(error, TemplateNotFound) else "Invalid", str(error))

    @classmethod
    def unchecked(cls, error: Exception) -> "Validity":
        """Of a check that broke: a fault of the product, but nothing can be made of such a document."""
        return cls(False, "Invalid", f"it can't be checked: {type(error).__name__}: {error}"[:1_024])

    def status(
        self, before: Any, generation: int, now: float, phase: str = "", reason: str = "", message: str = ""
    ) -> dict[str, Any]:
        """The fields of a status that say so. `phase`, and why it is so, where more than the check decides whether the object is ready."""
        phase = (phase if self.holds else "") or ("Valid" if self.holds else "Invalid")
        told = (reason or phase, message) if self.holds else (self.reason, self.message)
        return {
            "observedGeneration": generation,
            "phase": phase,
            "conditions": [
                self.condition("Valid", before, generation, now),
                *readiness(phase, *told, before, generation, now),
            ],
        }

    def condition(self, kind: str, before: Any, generation: int, now: float) -> dict[str, Any]:
        """A condition of a status that says so."""
        return condition(kind, self.holds, self.reason, self.message, before, generation, now)
