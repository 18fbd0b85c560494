"""Conditions of a status, and among them Ready, which every kind has: `kubectl wait`, Flux (kstatus) and Argo CD go by it.

While Ready is false one of two others is true. Reconciling: the operator works on it, or waits for something that may still come.
Stalled: it stays so until somebody changes the object.
"""

from collections.abc import Mapping
from typing import Any

from tradewind.model.duration import stamp
from tradewind.model.shown import brief

Condition = dict[str, Any]
READY, RECONCILING, STALLED = "Ready", "Reconciling", "Stalled"
READINESS = frozenset({READY, RECONCILING, STALLED})
AWAITED = frozenset({"TemplateNotFound"})
"""Reasons for which something invalid becomes valid without being changed."""
_MEANS: Mapping[str, str] = {
    **dict.fromkeys(("Valid", "Active", "Suspended", "Done", "DryRun", "Succeeded"), READY),
    **dict.fromkeys(("Approved", "Rejected", "Expired"), READY),  # decided: an Approval has done its work
    **dict.fromkeys(("Queued", "Running", "Waiting", "Pending"), RECONCILING),
    **dict.fromkeys(("Invalid", "Failed", "Cancelled"), STALLED),
}
"""What a phase of any kind means for whoever waits for the object."""
WORDS = 512
"""Characters of a message: the whole text stands elsewhere in the status."""


def condition(
    kind: str, holds: bool | None, reason: str, message: str, before: Mapping[str, Any], generation: int, now: float
) -> Condition:
    """A condition. `before` is the status so far: the transition time changes only when the condition's status does. `now` is in epoch
    seconds."""
    status = "Unknown" if holds is None else str(holds)
    old = next((item for item in before.get("conditions") or [] if item.get("type") == kind), None)
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": brief(message),
        "lastTransitionTime": old["lastTransitionTime"] if old and old.get("status") == status else stamp(now),
        "observedGeneration": generation,
    }


def readiness(
    phase: str, reason: str, message: str, before: Mapping[str, Any], generation: int, now: float
) -> list[Condition]:
    """Ready, and what is true while it is false. `phase` is the phase, or the outcome, of an object of any kind."""
    means = RECONCILING if reason in AWAITED else _MEANS[phase]
    found = [condition(READY, means == READY, reason, brief(message, WORDS), before, generation, now)]
    if means != READY:
        found.append(condition(means, True, reason, brief(message, WORDS), before, generation, now))
    return found
