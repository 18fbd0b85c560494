"""What can be done, and what came of it."""

from typing import Annotated, Literal

from pydantic import Field

from tradewind.server.answers.base import Answer, Body, Json, Millis

Action = Literal["cancel", "terminate", "suspend", "resume", "retry", "delete"]


class ActionBody(Body):
    """What to do with a run."""

    action: Action
    reason: Annotated[str, Field(max_length=1_024)] = ""
    version: str = ""
    """`version` of the preview: without a change of the run since."""


class ActionAnswer(Answer):
    """What it does, or did."""

    done: bool
    affected: list[str]
    """Tasks and items, with what happens to each."""
    lost: list[str]
    """What is lost, in words."""
    words: str
    command: str
    """The same as a command."""
    yaml: str
    """The same as a patch."""
    version: str


class StartBody(Body):
    """A run to start."""

    params: Annotated[dict[str, Json], Field(max_length=100)] = {}
    name: Annotated[str, Field(max_length=63)] = ""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    reason: Annotated[str, Field(max_length=1_024)] = ""
    logical_date: Millis | None = None


class FieldProblem(Answer):
    """What is wrong with a field."""

    field: str
    text: str


class StartAnswer(Answer):
    """The run, or what it would be."""

    run: str
    """Its name; empty for a preview without one."""
    command: str
    yaml: str
    problems: list[FieldProblem]
    """What is wrong with the params; a preview only, since a start with problems is refused."""
    notes: list[str]


class DecisionBody(Body):
    """A decision about an approval."""

    approve: bool
    reason: Annotated[str, Field(max_length=1_024)] = ""
    inputs: Annotated[dict[str, Json], Field(max_length=20)] = {}


class DecisionAnswer(Answer):
    """What was decided."""

    done: bool
    outcome: str
    command: str
    yaml: str
