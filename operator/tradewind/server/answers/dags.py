"""DAGs: one of them, its grid, graph and form."""

from typing import Annotated

from pydantic import Field

from tradewind.server.answers.base import Answer, Json, Millis, Query
from tradewind.server.answers.objects import TriggerRow


class TickRow(Answer):
    """The next run that a trigger makes."""

    trigger: str
    next: Millis | None


class ParamRow(Answer):
    """A param, for a form."""

    name: str
    type: str
    title: str
    description: str
    default: Json
    enum: list[Json]
    min: Json
    max: Json
    pattern: str
    secret: bool
    required: bool
    nullable: bool
    section: str
    examples: list[Json]
    items: str
    """Type of the elements of a list."""


class DAGDetail(Answer):
    """A DAG in full."""

    namespace: str
    name: str
    description: str
    owner: str
    suspended: bool
    invalid: list[str]
    """What is wrong with it."""
    params: list[ParamRow]
    schedule: list[TickRow]
    tasks: int
    yaml: str
    revision: int | None
    managed_by: str
    version: str
    calls: list[str]
    """DAGs that its tasks call."""


class RevisionRow(Answer):
    """A revision."""

    number: int
    hash: str
    at: Millis | None
    cause: str
    current: bool


class DAGAnswer(Answer):
    """A DAG in full."""

    dag: DAGDetail
    revisions: list[RevisionRow]
    triggers: list[TriggerRow]
    partial: str | None


class RevisionAnswer(Answer):
    """The spec of a revision."""

    number: int
    name: str
    yaml: str


class GridQuery(Query):
    """Which runs."""

    runs: Annotated[int, Field(ge=1, le=100)] = 25
    before: str = ""
    """`next` of the answer before."""


class GridRun(Answer):
    """A column of the grid."""

    name: str
    uid: str
    phase: str
    created: Millis
    seconds: float | None
    revision: int | None
    how: str
    logical_date: Millis | None


class GridAnswer(Answer):
    """Runs, the oldest first, by tasks."""

    runs: list[GridRun]
    tasks: list[str]
    """Of all revisions that the runs have, in an order in which they can run."""
    cells: list[list[int]]
    """By run, then by task: index in `states`, -1 where the run has no such task."""
    states: list[str]
    failed: dict[str, list[int]]
    """By run: for fan-outs with failed items, pairs of an index in `tasks` and their number."""
    next: str | None


class GraphAnswer(Answer):
    """The tasks of a DAG and their dependencies."""

    names: list[str]
    kinds: list[str]
    fan: list[bool]
    calls: list[str]
    """By name: the DAG that it calls; empty for none."""
    edges: list[int]
    """Pairs of indices in `names`: from, to."""
    groups: list[str]
    group: list[int]


class GraphQuery(Query):
    """Which revision."""

    revision: int | None = None


class FormAnswer(Answer):
    """The params of a DAG."""

    params: list[ParamRow]
    suspended: bool
    invalid: str
    account: str
    """Service account that pods get; empty for the namespace's default."""
    author: str
    """Field managers that wrote the spec."""


class TrendQuery(Query):
    """How many of the latest runs."""

    runs: Annotated[int, Field(ge=1, le=500)] = 100


class TrendAnswer(Answer):
    """The latest ended runs, the oldest first, as columns."""

    names: list[str]
    created: list[Millis]
    seconds: list[float | None]
    waited: list[float | None]
    """From creation to start."""
    phases: list[str]
