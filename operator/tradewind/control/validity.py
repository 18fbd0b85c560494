"""The condition Valid, of DAGs and templates."""

from dataclasses import dataclass
from typing import Any

from tradewind.model.duration import stamp
from tradewind.plan.define import TemplateNotFound
from tradewind.plan.problem import Invalid


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

    def status(self, before: Any, generation: int, now: float) -> dict[str, Any]:
        """The fields of a status that say so."""
        return {
            "observedGeneration": generation,
            "phase": "Valid" if self.holds else "Invalid",
            "conditions": [self.condition("Valid", before, generation, now)],
        }

    def condition(self, kind: str, before: Any, generation: int, now: float) -> dict[str, Any]:
        """A condition of a status that says so."""
        holds = str(self.holds)
        old = next((item for item in before.get("conditions") or [] if item.get("type") == kind), None)
        return {
            "type": kind,
            "status": holds,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": old["lastTransitionTime"] if old and old["status"] == holds else stamp(now),
            "observedGeneration": generation,
        }
