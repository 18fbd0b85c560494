"""The tasks of a run, as columns, and one of them."""

from tradewind.server.answers.base import Answer, Json, Millis
from tradewind.server.answers.runs import ChainLink, ConditionRow, EventRow


class TasksAnswer(Answer):
    """Columns over `n` rows: each task, followed by its items. Names, states, reasons and causes are given once, and rows
    have their index."""

    n: int
    version: str
    """Changes when anything does."""
    partial: str | None
    """Why pods are not shown."""
    key: list[str]
    names: list[str]
    """Tasks in an order in which they can run."""
    task: list[int]
    """By row: index in `names`."""
    item: list[int]
    """By row: the item's index; -1 for a task."""
    label: dict[str, str]
    """Labels of items, by row number, where they have one."""
    kinds: list[str]
    """By name: pod, http, sensor, wait, approval, compute or dag."""
    fan: list[bool]
    """By name: whether it is a fan-out."""
    states: list[str]
    state: list[int]
    start: list[Millis | None]
    """Start of the first attempt."""
    end: list[Millis | None]
    """End of the last attempt, once the row has ended."""
    attempts: list[int]
    losses: list[int]
    """How many attempts the infrastructure lost."""
    bars: list[list[int]]
    """By row: start and end of each attempt, in seconds from `epoch`; the end is -1 while it runs. Empty for rows with one
    attempt: `start` and `end` say it."""
    epoch: Millis
    """When the run was created."""
    whys: list[str]
    why: list[int]
    """By row: index in `whys`, -1 for nothing to say."""
    causes: list[str]
    waits: list[list[int]]
    """By row: pairs of an index in `causes` and seconds, in order, from the run's beginning to the first attempt and between
    attempts; the last one grows while the row waits (`since`)."""
    since: list[Millis | None]
    """By row: since when it has waited for the cause that is last in `waits`, if it still does."""
    edges: list[int]
    """Pairs of indices in `names`: from, to."""
    critical: list[int]
    """Rows on the critical path, in order."""
    groups: list[str]
    """Headings under which names can be grouped: what is before the last `.` of a name, and kinds such as teardowns."""
    group: list[int]
    """By name: index in `groups`, -1 for none."""


class Evidence(Answer):
    """What the sentence rests on."""

    kind: str
    """state, status, attempt, condition, event, pool, expression or dependency."""
    text: str


class WhyAnswer(Answer):
    """Why a task is where it is."""

    sentence: str
    cause: str
    evidence: list[Evidence]
    todo: str
    """What to do, if anything."""


class AttemptRow(Answer):
    """An attempt."""

    number: int
    state: str
    """Succeeded, Failed, Lost, Stopped, Skipped, Running or Pending."""
    reason: str
    message: str
    exit_code: int | None
    started: Millis | None
    finished: Millis | None
    node: str
    pod: str
    """Name of its pod; empty for work without a pod."""
    pod_exists: bool
    budget: str | None
    """failure, loss or None."""
    counts: bool
    """Whether it counts: attempts before a clear don't."""
    waits: list[tuple[str, float]]
    """Causes and seconds before it started."""


class Budget(Answer):
    """How much of a budget is used. The task fails for good when `used` reaches `limit`."""

    used: int
    limit: int


class Budgets(Answer):
    """The two budgets of a task."""

    failures: Budget
    losses: Budget


class InputRow(Answer):
    """A value of the task, with the expression that gives it."""

    name: str
    """Path of the field, such as env.REGION or args[0]."""
    expression: str
    value: Json
    problem: str
    """Why it can't be computed; empty if it can."""


class ArtifactRow(Answer):
    """An artifact that a task takes or makes."""

    name: str
    direction: str
    """in or out."""
    place: str


class PodPanel(Answer):
    """The pod of the last attempt."""

    name: str
    phase: str
    node: str
    conditions: list[ConditionRow]
    events: list[EventRow]


class TaskAnswer(Answer):
    """A task, or an item, of a run."""

    key: str
    task: str
    kind: str
    state: str
    description: str
    item: Json
    why: WhyAnswer
    attempts: list[AttemptRow]
    budgets: Budgets
    inputs: list[InputRow]
    outputs: dict[str, Json]
    artifacts: list[ArtifactRow]
    manifest: str | None
    """YAML of the pod; of the task if it has none."""
    pod: PodPanel | None
    links: list[ChainLink]
    depends_on: list[str]
    needed_by: list[str]
