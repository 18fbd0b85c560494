"""Conditions of a status, among them Ready, which every kind has: `kubectl wait`, Flux (kstatus) and Argo CD rely on it.

While Ready is false, one of two other conditions is true. Reconciling: the operator works on the object, or waits for something that may
still arrive. Stalled: nothing changes until someone edits the object.
"""

from collections.abc import Mapping
from typing import Any

from tradewind.model.duration import stamp
from tradewind.model.shown import brief

Condition = dict[str, Any]
READY, RECONCILING, STALLED = "Ready", "Reconciling", "Stalled"
READINESS = frozenset({READY, RECONCILING, STALLED})
AWAITED = frozenset({"TemplateNotFound"})
"""Reasons for which an invalid object can become valid without being changed."""
HELD = frozenset({"FailuresInARow"})
"""Reasons for which a suspended object stays so until someone acts, although nobody has suspended it."""
_MEANS: Mapping[str, str] = {
    **dict.fromkeys(("Valid", "Active", "Suspended", "Done", "DryRun", "Succeeded"), READY),
    **dict.fromkeys(
        ("Approved", "Rejected", "Expired"), READY
    ),  # an Approval has served its purpose once it is decided
    **dict.fromkeys(("Queued", "Running", "Waiting", "Pending"), RECONCILING),
    **dict.fromkeys(("Invalid", "Failed", "Cancelled"), STALLED),
}
"""The meaning of a phase of any kind for clients that wait for the object."""
WORDS = 512
"""Characters of a message. The full text is elsewhere in the status."""


def condition(
    kind: str, holds: bool | None, reason: str, message: str, before: Mapping[str, Any], generation: int, now: float
) -> Condition:
    """A condition. `before` is the previous status: the transition time changes only when the condition's status does. `now` is in epoch
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
    """Ready, and the condition that is true while Ready is false. `phase` is the phase or outcome of an object of any kind."""
    means = RECONCILING if reason in AWAITED else STALLED if reason in HELD else _MEANS[phase]
    found = [condition(READY, means == READY, reason, brief(message, WORDS), before, generation, now)]
    if means != READY:
        found.append(condition(means, True, reason, brief(message, WORDS), before, generation, now))
    return found
