"""Approval: a decision that a task of a run waits for."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Anything, Model, Name, ShortText, Text, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.value import Param

Outcome = Literal["Pending", "Approved", "Rejected", "Expired", "Invalid"]


class ApprovalSpec(Model):
    """What is asked, written by the operator, and the answer, written by whoever decides."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "self.run == oldSelf.run && self.task == oldSelf.task && has(self.message) == has(oldSelf.message)"
                    " && (!has(self.message) || self.message == oldSelf.message)",
                    "what is asked can't be changed: set decision, answers, comment and by",
                ),
                rule(
                    "!has(self.decision) || self.decision == '' || (has(self.by) && self.by != '')",
                    "say who decides",
                    fieldPath=".by",
                ),
            ]
        )
    )

    run: Name
    """The run that waits."""
    task: Annotated[str, Field(min_length=1, max_length=75)]
    """Its task, or item as task[index]."""
    message: Text = ""
    """What is to be decided."""
    questions: Annotated[dict[str, Param], Field(max_length=20)] = {}
    """What else is asked, typed like params."""
    deadline: Annotated[str, Field(max_length=40)] = ""
    """When it is too late; never when empty."""
    decision: Literal["Approved", "Rejected", ""] = ""
    """The decision."""
    answers: Annotated[dict[str, Anything], Field(max_length=20)] = {}
    """Answers to the questions."""
    comment: ShortText = ""
    """Why."""
    by: ShortText = ""
    """Who decides. With the admission webhook this is who really does."""


class ApprovalStatus(Model):
    """What became of it."""

    observed_generation: int = 0
    """The generation that this status describes."""
    outcome: Outcome = "Pending"
    """Pending until there is a decision that can be accepted, or it is too late. Invalid: the operator did not ask this, or nobody decided
    it, and the run waits for another Approval."""
    message: ShortText = ""
    """What is wrong, if something is."""
    conditions: Conditions = []
    """Ready: whether it has been decided, or its time is over."""


class Approval(Model):
    """A decision that a run waits for. `tradewind approve` and `tradewind reject` write it; so does `kubectl patch`."""

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
            "too late: it has been decided, or its time is over; see status.outcome",
            fieldPath=".spec",
        ),
        rule(
            "!has(self.status) || !has(self.status.outcome) || self.status.outcome != 'Expired'"
            " || !has(self.spec.decision) || self.spec.decision == ''",
            "it has been decided in time",
            fieldPath=".status.outcome",
        ),
    ]

    spec: ApprovalSpec
    """What is asked, and the answer."""
    status: ApprovalStatus | None = None
    """What became of it."""
