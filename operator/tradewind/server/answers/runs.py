"""Runs: lists, and one of them."""

from typing import Annotated

from pydantic import Field

from tradewind.server.answers.base import Answer, Json, Millis, Query


class Progress(Answer):
    """Tasks and items by what came of them."""

    done: int
    total: int
    failed: int
    running: int | None
    """None where only the run's own page knows."""


class RunRow(Answer):
    """A run in a list."""

    namespace: str
    name: str
    uid: str
    dag: str
    phase: str
    """Queued, Running, Succeeded, Failed or Cancelled."""
    created: Millis
    started: Millis | None
    finished: Millis | None
    seconds: float | None
    """From start to end; None while it runs: count from `started`."""
    how: str
    """What made it: manual, schedule, backfill, event, dag, asset, object, sensor or parent."""
    maker: str
    """Name of the trigger or backfill that made it."""
    by: str
    """User who started it, as recorded."""
    why: str
    """Why it is in its phase, in one sentence."""
    progress: Progress
    logical_date: Millis | None
    suspended: bool
    stopping: bool
    """Whether its end was requested and it has not ended."""


class RunsQuery(Query):
    """Which runs, the newest first."""

    namespace: str = ""
    dag: str = ""
    phase: list[str] = []
    """Queued, Running, Succeeded, Failed, Cancelled or Active (Queued or Running)."""
    how: str = ""
    text: Annotated[str, Field(max_length=253)] = ""
    """Part of the name of the run or its DAG."""
    since: Millis | None = None
    """Created at or after this time."""
    until: Millis | None = None
    """Created before this time."""
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: str = ""
    """`next` of the answer before."""


class RunsAnswer(Answer):
    """A page of runs."""

    runs: list[RunRow]
    next: str | None
    more: bool


class ConditionRow(Answer):
    """A condition of an object."""

    type: str
    status: str
    reason: str
    message: str
    since: Millis | None


class EventRow(Answer):
    """An Event of Kubernetes."""

    type: str
    """Normal or Warning."""
    reason: str
    message: str
    count: int
    at: Millis | None
    object: str
    """Kind and name, as Pod/NAME."""


class EditRow(Answer):
    """A change by hand."""

    action: str
    tasks: list[str]
    by: str
    reason: str
    applied: bool


class FailureRow(Answer):
    """A failed attempt."""

    task: str
    attempt: int
    reason: str
    exit_code: int | None
    message: str


class CallerRow(Answer):
    """The attempt of another run that made this one."""

    run: str
    task: str
    attempt: int


class RunDetail(RunRow):
    """A run in full."""

    message: str
    revision: str
    revision_number: int | None
    params: dict[str, Json]
    results: dict[str, Json]
    conditions: list[ConditionRow]
    labels: dict[str, str]
    note: str
    reason: str
    """Reason given when it was started."""
    cause: str
    """What its trigger says about it."""
    called_by: CallerRow | None
    edits: list[EditRow]
    failures: list[FailureRow]
    version: str
    """Resource version that was read."""
    yaml: str
    events: list[EventRow]
    managed_by: str
    """What manages the object (Argo CD, Flux or Helm); empty if nothing does."""


class RunCan(Answer):
    """The actions that make sense now and that the user may do."""

    cancel: bool
    terminate: bool
    suspend: bool
    resume: bool
    retry: bool
    delete: bool


class RunAnswer(Answer):
    """A run in full."""

    run: RunDetail
    can: RunCan
    partial: str | None
    """Why something is not shown, such as pods."""


class PathRow(Answer):
    """A step of the critical path, in seconds."""

    task: str
    waited: int
    retried: int
    ran: int


class PathAnswer(Answer):
    """The critical path so far."""

    rows: list[PathRow]
    seconds: int


class ChainLink(Answer):
    """An object to go to."""

    kind: str
    """task, run, pool, dag, approval or trigger."""
    namespace: str
    name: str


class ChainStep(Answer):
    """A step from a waiting task to the cause."""

    text: str
    link: ChainLink | None


class WaitingTask(Answer):
    """A task that waits, and the chain to the cause."""

    key: str
    cause: str
    since: Millis | None
    until: Millis | None
    chain: list[ChainStep]


class WaitsAnswer(Answer):
    """What waits, the longest first; of many alike some."""

    tasks: list[WaitingTask]
    total: int
