"""Ready, Reconciling and Stalled follow from the phase of an object, whatever its kind."""

from itertools import chain
from typing import Any, get_args

import pytest
from tradewind.control.shared.conditions import readiness
from tradewind.model.approval import Outcome
from tradewind.model.backfill import BackfillStatus
from tradewind.model.base import Model
from tradewind.model.dag import DAGStatus
from tradewind.model.run import DAGRunStatus
from tradewind.model.template import TemplateStatus
from tradewind.model.trigger import TriggerStatus

STATUSES: list[type[Model]] = [DAGStatus, DAGRunStatus, TriggerStatus, BackfillStatus, TemplateStatus]


def words(annotation: Any) -> set[str]:
    """The values of a Literal, at any depth."""
    return {annotation} if isinstance(annotation, str) else set(chain(*map(words, get_args(annotation))))


PHASES = sorted(set(chain(*(words(kind.model_fields["phase"].annotation) for kind in STATUSES))) - {""})


def told(phase: str, reason: str = "Because", before: Any = None, now: float = 0) -> list[dict[str, Any]]:
    return readiness(phase, reason, "words", before or {}, 3, now)


@pytest.mark.parametrize("phase", [*PHASES, *get_args(Outcome)])
def test_each_phase_of_each_kind_has_a_meaning(phase: str) -> None:
    ready, *others = told(phase)
    assert (ready["type"], ready["reason"], ready["observedGeneration"]) == ("Ready", "Because", 3)
    assert [item["status"] for item in others] == ([] if ready["status"] == "True" else ["True"])


def test_a_missing_template_may_still_come() -> None:
    assert [item["type"] for item in told("Invalid")] == ["Ready", "Stalled"]
    assert [item["type"] for item in told("Invalid", "TemplateNotFound")] == ["Ready", "Reconciling"]


def test_the_transition_time_stays_while_the_status_does() -> None:
    first = told("Queued", now=1)
    second = told("Running", before={"conditions": first}, now=2)
    third = told("Succeeded", before={"conditions": second}, now=3)
    assert [item["lastTransitionTime"] for item in second] == [item["lastTransitionTime"] for item in first]
    assert third[0]["lastTransitionTime"] > second[0]["lastTransitionTime"]
