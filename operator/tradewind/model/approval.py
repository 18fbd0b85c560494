"""Approval: a decision that a task of a run waits for."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, Model, Name, ShortText, Text, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.value import Param

Outcome = Literal["Pending", "Approved", "Rejected", "Expired", "Invalid"]


class ApprovalSpec(Model):
    """The question, written by the operator, and the decision, written by a person."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "self.run == oldSelf.run && self.task == oldSelf.task && has(self.message) == has(oldSelf.message)"
                    " && (!has(self.message) || self.message == oldSelf.message)",
                    "the question can't be changed: set decision, answers, comment and by",
                ),
                rule(
                    "!has(self.decision) || self.decision == '' || (has(self.by) && self.by != '')",
                    "must be the user who decides",
                    fieldPath=".by",
                ),
            ]
        )
    )

    run: Name
    """Name of the run that waits for the decision."""
    task: Annotated[str, Field(min_length=1, max_length=75)]
    """The run's task that waits; for an item of a fan-out, task[index]."""
    message: Text = ""
    """The question to decide."""
    questions: Annotated[dict[str, Param], Field(max_length=20)] = {}
    """Further values to ask for, by name, typed like params."""
    deadline: Annotated[str, Field(max_length=40)] = ""
    """Time after which no decision is accepted. Empty means no deadline."""
    decision: Literal["Approved", "Rejected", ""] = ""
    """The decision."""
    answers: Annotated[dict[str, Anything], Field(max_length=20)] = {}
    """Answers to the questions, by name."""
    comment: ShortText = ""
    """Reason for the decision."""
    by: ShortText = ""
    """User who decides. The admission webhook verifies that this is the user who sends the request."""


class ApprovalStatus(Model):
    """Result of the approval."""

    observed_generation: int = 0
    """The generation that this status describes."""
    outcome: Outcome = "Pending"
    """Pending: no acceptable decision yet, and the deadline has not passed. Approved, Rejected: the decision. Expired:
    the deadline passed first. Invalid: the object was not created by the operator, had a decision before the operator
    saw it, or is being deleted; the run waits for another Approval."""
    message: ShortText = ""
    """The error to fix, if any."""
    conditions: Conditions = []
    """Ready: true once the approval is decided or has expired."""


class Approval(Model):
    """A decision that a run waits for. `tradewind approve`, `tradewind reject` and `kubectl patch` set it."""

    kind: ClassVar = "Approval"
    plural: ClassVar = "approvals"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Run", "type": "string", "jsonPath": ".spec.run"},
        {"name": "Task", "type": "string", "jsonPath": ".spec.task"},
        {"name": "Outcome", "type": "string", "jsonPath": ".status.outcome"},
        {"name": "By", "type": "string", "jsonPath": ".spec.by"},
        {"name": "Deadline", "type": "string", "jsonPath": ".spec.deadline"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Message", "type": "string", "jsonPath": ".spec.message", "priority": 1},
    ]
    selectable: ClassVar[list[str]] = [".spec.run"]
    rules: ClassVar[list[dict[str, str]]] = [
        rule(
            "!has(oldSelf.status) || !has(oldSelf.status.outcome) || oldSelf.status.outcome == 'Pending'"
            " || self.spec == oldSelf.spec",
            "too late: the approval is decided or has expired; see status.outcome",
            fieldPath=".spec",
        ),
        rule(
            "!has(self.status) || !has(self.status.outcome) || self.status.outcome != 'Expired'"
            " || !has(self.spec.decision) || self.spec.decision == ''",
            "it was decided before the deadline",
            fieldPath=".status.outcome",
        ),
    ]

    spec: ApprovalSpec
    """The question and the decision."""
    status: ApprovalStatus | None = None
    """Result of the approval."""
