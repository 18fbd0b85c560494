"""The overview, and lists of approvals, triggers, backfills, pools and assets."""

from tradewind.server.answers.base import Answer, Json, Millis, Query
from tradewind.server.answers.runs import RunRow


class Where(Query):
    """Which namespace; empty for all that the user may see."""

    namespace: str = ""


class Need(Answer):
    """Something that a person has to do."""

    kind: str
    """approval, failed or invalid."""
    namespace: str
    name: str
    run: str
    dag: str
    text: str
    since: Millis | None


class WaitShare(Answer):
    """How many tasks wait for a cause."""

    cause: str
    """A cause, or timer: tasks that wait for a time, which count as running too."""
    tasks: int
    longest: float | None
    """Seconds."""
    namespace: str
    run: str
    """The run of the longest."""
    task: str
    since: Millis | None


class Bar(Answer):
    """A run of a DAG, for a bar."""

    name: str
    phase: str
    created: Millis
    seconds: float | None


class DAGRow(Answer):
    """A DAG in a list."""

    namespace: str
    name: str
    suspended: bool
    invalid: str
    owner: str
    description: str
    schedule: str
    """What starts it, in words."""
    next: Millis | None
    latest: list[Bar]
    """At most 25 runs, the oldest first."""
    success: float | None
    """Share of those that have ended, from 0 to 1."""
    p50: float | None
    p95: float | None
    active: int


class Counts(Answer):
    """Runs by phase; ended ones of the last 24 hours."""

    running: int
    queued: int
    failed24h: int
    succeeded24h: int


class OverviewAnswer(Answer):
    """What needs a person, what runs, what waits, and all DAGs."""

    needs: list[Need]
    needs_total: int
    running: list[RunRow]
    """At most 50."""
    waiting: list[WaitShare]
    dags: list[DAGRow]
    counts: Counts


class DAGsAnswer(Answer):
    """All DAGs."""

    dags: list[DAGRow]


class QuestionRow(Answer):
    """A question of an approval."""

    name: str
    type: str
    title: str
    description: str
    default: Json
    enum: list[Json]
    required: bool


class ApprovalRow(Answer):
    """An approval."""

    namespace: str
    name: str
    run: str
    task: str
    dag: str
    message: str
    since: Millis
    deadline: Millis | None
    outcome: str
    """Pending, Approved, Rejected, Expired or Invalid."""
    by: str
    comment: str
    inputs: list[QuestionRow]
    can: bool
    """Whether the user may decide it."""


class ApprovalsQuery(Where):
    """Which approvals."""

    all: bool = False
    """Decided ones too."""
    run: str = ""
    """Those of this run only."""


class ApprovalsAnswer(Answer):
    """Approvals, those that wait longest first."""

    approvals: list[ApprovalRow]


class TriggerRow(Answer):
    """A trigger."""

    namespace: str
    name: str
    dag: str
    source: str
    phase: str
    message: str
    description: str
    suspended: bool
    last_run: str
    last_at: Millis | None
    next: Millis | None


class TriggersAnswer(Answer):
    """All triggers."""

    triggers: list[TriggerRow]


class BackfillRow(Answer):
    """A backfill."""

    namespace: str
    name: str
    dag: str
    phase: str
    message: str
    start: str
    end: str
    total: int
    done: int
    active: int
    failed: int
    created: Millis
    suspended: bool


class BackfillsAnswer(Answer):
    """All backfills, the newest first."""

    backfills: list[BackfillRow]


class Holder(Answer):
    """What holds slots of a pool."""

    namespace: str
    run: str
    task: str
    slots: int
    since: Millis | None


class Queued(Answer):
    """What waits for slots of a pool."""

    namespace: str
    run: str
    task: str
    why: str
    since: Millis | None


class PoolRow(Answer):
    """A pool."""

    kind: str
    """Pool or ClusterPool."""
    namespace: str
    name: str
    description: str
    slots: int
    used: int
    waiting: int
    holders: list[Holder]
    queue: list[Queued]


class PoolsAnswer(Answer):
    """All pools."""

    pools: list[PoolRow]
    partial: str | None


class AssetRow(Answer):
    """The latest update of an asset's partition."""

    namespace: str
    name: str
    partition: str
    at: Millis | None
    dag: str
    run: str
    task: str
    metadata: dict[str, Json]


class AssetEdge(Answer):
    """A DAG that makes an asset, or that an asset starts."""

    namespace: str
    asset: str
    dag: str
    direction: str
    """produces or starts."""
    trigger: str
    """The trigger by which it starts."""


class AssetsAnswer(Answer):
    """Assets with what makes and what follows them."""

    assets: list[AssetRow]
    edges: list[AssetEdge]
