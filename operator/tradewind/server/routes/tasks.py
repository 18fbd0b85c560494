"""The tasks of a run."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.names import pod_name
from tradewind.kube.client import Object
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import Pod
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.reading import of_kind, reading
from tradewind.look.run_rows import rows
from tradewind.look.tasks.columns import OPEN, STATES, Columns, columns
from tradewind.look.tasks.inputs import inputs
from tradewind.look.tasks.segments import CAUSES, Waits, by_attempt
from tradewind.look.tasks.shape import called, kind_of
from tradewind.look.tasks.why import Why, of_unit, spent
from tradewind.look.waiting.reason import Wait
from tradewind.look.waiting.task_waits import waits
from tradewind.look.yaml_text import as_yaml
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES, SKIPS, STOPPED, Attempt, parse_key
from tradewind.plan.outcomes.state import FINAL
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.unit import Unit
from tradewind.server.answers.base import in_millis
from tradewind.server.answers.runs import ChainLink
from tradewind.server.answers.tasks import (
    ArtifactRow,
    AttemptRow,
    Budget,
    Budgets,
    Evidence,
    InputRow,
    PodPanel,
    TaskAnswer,
    TasksAnswer,
    WhyAnswer,
)
from tradewind.server.pictures import View
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.routes.runs import events_of
from tradewind.server.rows import conditions
from tradewind.server.web.app import Encoded, encoded
from tradewind.server.web.problem import Refused

MESSAGE = 4_096
OUTPUTS = 64 * 1024
"""Bytes of outputs that are shown."""


async def tasks(question: Question) -> Encoded | TasksAnswer:
    """All tasks, as columns."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    state = view.state
    if state is None:
        return _empty(view)
    if (known := view.made.get("tasks")) is not None and view.run.final:
        return Encoded(known)

    def made() -> TasksAnswer:
        found = columns(state, view.pods, time.time())
        own = found.shape
        return TasksAnswer.model_construct(
            n=len(found.key),
            version=view.version,
            partial=view.partial or None,
            key=found.key,
            names=own.names,
            task=found.task,
            item=found.item,
            label=found.label,
            kinds=own.kinds,
            fan=own.fan,
            states=STATES,
            state=found.state,
            start=[in_millis(second) for second in found.start],
            end=[in_millis(second) for second in found.end],
            attempts=found.attempts,
            losses=found.losses,
            bars=_bars(found),
            epoch=found.epoch * 1000,
            whys=found.whys,
            why=found.why,
            causes=list(CAUSES),
            waits=found.waits,
            since=[in_millis(second) for second in found.since],
            edges=own.edges,
            critical=found.critical,
            groups=own.groups,
            group=own.group,
        )

    answer = await question.service.pictures.compute(view, made)
    text = await asyncio.to_thread(encoded, answer)
    if view.run.final:
        view.made["tasks"] = text
    return text


def _bars(found: Columns) -> list[list[int]]:
    """The bars of rows with several attempts, or with one that another follows: for others `start` and `end` say it, and of
    ten thousand tasks most have one."""
    made = []
    for bars, start, end in pacing.each(zip(found.bars, found.start, found.end, strict=True)):
        told = start is not None and (end is not None or bars[-1:] == [OPEN])
        made.append([] if len(bars) == 2 and told and bars[0] + found.epoch == start else bars)
    return made


def _empty(view: View) -> TasksAnswer:
    none: list[Any] = []
    return TasksAnswer(
        n=0,
        version=view.version,
        partial=view.partial or None,
        key=none,
        names=none,
        task=none,
        item=none,
        label={},
        kinds=none,
        fan=none,
        states=STATES,
        state=none,
        start=none,
        end=none,
        attempts=none,
        losses=none,
        bars=none,
        epoch=view.run.created * 1000,
        whys=none,
        why=none,
        causes=list(CAUSES),
        waits=none,
        since=none,
        edges=none,
        critical=none,
        groups=none,
        group=none,
    )


async def task(question: Question) -> TaskAnswer:
    """A task, or an item."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    state, key = view.state, question.path["key"]
    if state is None or state.planner is None:
        raise Refused(404, view.partial or f"dagrun/{view.run.name} has not begun: it has no tasks yet")
    planner = state.planner
    name, index = parse_key(key)
    if name not in planner.definition.tasks or (index is not None and key not in planner.ledger.units):
        raise Refused(404, f"dagrun/{view.run.name} has no task {key[:100]}")
    now = time.time()

    seen = await question.service.pictures.compute(view, lambda: _Seen.of(view, state, planner, key, now))
    panel, manifest = await _pod(question, view, planner.definition.tasks[name], seen.last_pod)
    children = await _children(question, view, planner.definition.tasks[name], key)
    with reading(f"dagrun/{view.run.name}"):
        return _answer(view, state, planner, key, seen, panel, manifest, children)


class _Seen:
    """What was computed of a task."""

    def __init__(self) -> None:
        self.why = Why("")
        self.message = ""
        self.attempts: list[AttemptRow] = []
        self.inputs: list[InputRow] = []
        self.last_pod: Pod | None = None
        self.unit: Unit | None = None

    @classmethod
    def of(cls, view: View, state: RunState, planner: Planner, key: str, now: float) -> "_Seen":
        seen = cls()
        seen.message = next((row.message for row in rows(state) if row.task == key), "")
        unit = seen.unit = planner.ledger.units.get(key)
        if unit is None:
            group = planner.ledger.groups[key]
            blocked = next((wait for wait in waits(state, now) if wait.task == key), None)
            words = blocked.words(now) if blocked else group.why or seen.message or _tally(planner, key)
            seen.why = Why(words, str(group.state), [("state", str(group.state))])
            return seen
        wait = None if view.run.final else next((item for item in waits(state, now) if item.task == key), None)
        own = by_attempt(view.run, view.pods)
        seen.why = of_unit(state, unit, wait, view.pods, seen.message, now)
        seen.attempts = _attempts(view, state, unit, wait, own)
        seen.inputs = [
            InputRow(name=item.name, expression=item.expression, value=item.value, problem=item.problem)
            for item in inputs(state, unit)
        ]
        numbers = [row.number for row in seen.attempts if (key, row.number) in own]
        seen.last_pod = own[key, max(numbers)] if numbers else None
        return seen


def _tally(planner: Planner, key: str) -> str:
    counts = planner.ledger.groups[key].tally
    return ", ".join(f"{count} {state.lower()}" for state, count in counts.items() if count)


def _attempts(
    view: View, state: RunState, unit: Unit, wait: Wait | None, own: Mapping[tuple[str, int], Pod]
) -> list[AttemptRow]:
    segments = Waits(state, view.pods).of(unit, wait)
    told = {
        (str(item.get("task")), item.get("attempt")): str(item.get("message") or "")
        for item in of_kind(list, view.run.status.get("failures"))
    }
    told |= {(key, number): end.message for (key, number), end in state.attempts.news.items()}
    cleared = state.attempts.cleared.get(unit.key, 0)
    earlier = [item for item in state.attempts.ended.get(unit.key, []) if item.number <= cleared]
    found = [_ended(view, unit, item, False, told, (), own) for item in earlier]
    for place, item in enumerate(unit.ended):
        parts = segments.before[place] if place < len(segments.before) else ()
        pairs = [(part.cause, float(part.seconds)) for part in parts]
        found.append(_ended(view, unit, item, True, told, pairs, own))
    if unit.live is not None and unit.state not in FINAL:
        pod = own.get((unit.key, unit.live.number))
        main = pod.main() if pod else None
        began = main.running.started_at if main and main.running else None
        parts = segments.before[-1] if len(segments.before) > len(unit.ended) else ()
        found.append(
            AttemptRow(
                number=unit.live.number,
                state="Running" if unit.live.pending_since is None else "Pending",
                reason=unit.live.reason,
                message=unit.live.message,
                exit_code=None,
                started=_began(began, pod, wait),
                finished=None,
                node=pod.spec.node_name if pod else "",
                pod=pod.metadata.name if pod else "",
                pod_exists=pod is not None,
                budget=None,
                counts=True,
                waits=[(part.cause, float(part.seconds)) for part in parts],
            )
        )
    return found


def _began(at: datetime | None, pod: Pod | None, wait: Wait | None) -> int | None:
    """When a live attempt began: its container, or the operator's work on it."""
    if at is not None:
        return int(at.timestamp() * 1000)
    return None if pod is not None or wait is None else in_millis(wait.since)


def _ended(
    view: View,
    unit: Unit,
    item: Attempt,
    counts: bool,
    told: Mapping[tuple[str, Any], str],
    pairs: Any,
    own: Mapping[tuple[str, int], Pod],
) -> AttemptRow:
    pod = own.get((unit.key, item.number))
    budget = "failure" if item.reason in FAILURES else "loss" if item.reason in LOSSES else None
    return AttemptRow(
        number=item.number,
        state=_state(item),
        reason=item.reason,
        message=told.get((unit.key, item.number), "")[:MESSAGE],
        exit_code=item.exit_code,
        started=item.start * 1000,
        finished=item.end * 1000,
        node=item.node,
        pod=pod.metadata.name if pod else _pod_of(view, unit, item),
        pod_exists=pod is not None,
        budget=budget,
        counts=counts,
        waits=list(pairs),
    )


def _pod_of(view: View, unit: Unit, item: Attempt) -> str:
    """The name that the pod of an ended attempt had; empty if the attempt had none."""
    planner = view.state.planner if view.state else None
    if planner is not None and unit.task in planner.podless:
        return ""
    return pod_name(view.run.name, unit.task, item.number, unit.index)


def _state(item: Attempt) -> str:
    if item.succeeded:
        return "Succeeded"
    if item.reason in STOPPED:
        return "Stopped"
    if item.reason in SKIPS:
        return "Skipped"
    return "Failed" if item.reason in FAILURES else "Lost"


async def _pod(question: Question, view: View, task: Task, last: Pod | None) -> tuple[PodPanel | None, str | None]:
    """The pod of the last attempt, and its manifest; that of the task if there is no pod."""
    body: Object | None = None
    if last is not None and await question.service.access.may(question.caller, Need("get", PODS), question.namespace):
        try:
            body = await question.client.get(PODS, question.namespace, last.metadata.name)
        except ApiError:
            body = None
    if body is None:
        given = task.model_dump(by_alias=True, exclude_unset=True, mode="json")
        return None, await asyncio.to_thread(as_yaml, given)
    status = of_kind(dict, body.get("status"))
    panel = PodPanel(
        name=str(body["metadata"]["name"]),
        phase=str(status.get("phase") or ""),
        node=str(of_kind(dict, body.get("spec")).get("nodeName") or ""),
        conditions=conditions(status),
        events=await events_of(question, str(body["metadata"]["uid"])),
    )
    return panel, await asyncio.to_thread(as_yaml, body)


async def _children(question: Question, view: View, task: Task, key: str) -> list[ChainLink]:
    """The runs that are its attempts."""
    if not task.dag:
        return []
    selector = {"labelSelector": f"{RUN_UID}={view.run.uid}", "limit": "500"}
    try:
        found = (await question.client.list(RUNS, question.namespace, **selector))["items"]
    except ApiError:
        return []
    mine = [item for item in found if _called_by(item) == key]
    return [ChainLink(kind="run", namespace=question.namespace, name=item["metadata"]["name"]) for item in mine]


def _called_by(item: Object) -> str:
    labels = of_kind(dict, item["metadata"].get("labels"))
    index = labels.get("tradewind.dev/item")
    return f"{labels.get('tradewind.dev/task')}" + (f"[{index}]" if index is not None else "")


def _answer(
    view: View,
    state: RunState,
    planner: Planner,
    key: str,
    seen: _Seen,
    panel: PodPanel | None,
    manifest: str | None,
    children: list[ChainLink],
) -> TaskAnswer:
    name, _ = parse_key(key)
    task, unit = planner.definition.tasks[name], seen.unit
    limits = planner.definition.terms[name].retries
    failures, losses = spent(unit) if unit else (0, 0)
    links = [ChainLink(kind="dag", namespace=view.run.namespace, name=called(task))] if task.dag else []
    links += [
        ChainLink(kind="pool", namespace=view.run.namespace, name=claim.name) for claim in planner.ledger.pools(name)
    ]
    failed = state.run.final and seen.unit is not None and seen.unit.state not in FINAL
    shown = unit.state if unit else planner.ledger.groups[name].state
    return TaskAnswer(
        key=key,
        task=name,
        kind=kind_of(task),
        state="Cancelled" if failed else str(shown),
        description="",
        item=unit.item if unit else None,
        why=WhyAnswer(
            sentence=seen.why.sentence,
            cause=seen.why.cause,
            evidence=[Evidence(kind=kind, text=text) for kind, text in seen.why.evidence],
            todo=seen.why.todo,
        ),
        attempts=seen.attempts,
        budgets=Budgets(
            failures=Budget(used=failures, limit=limits.limit + 1),
            losses=Budget(used=losses, limit=limits.infrastructure_limit + 1),
        ),
        inputs=seen.inputs,
        outputs=_outputs(planner, key),
        artifacts=_artifacts(task),
        manifest=manifest,
        pod=panel,
        links=[*children, *links],
        depends_on=list(planner.definition.graph.upstream[name]),
        needed_by=list(planner.definition.graph.downstream[name]),
    )


def _outputs(planner: Planner, key: str) -> dict[str, Any]:
    found = dict(planner.ledger.outputs.get(key, {}))
    if len(orjson.dumps(found, default=str)) > OUTPUTS:
        return dict.fromkeys(found, f"(larger than {OUTPUTS // 1024} KiB together)")
    return found


def _artifacts(task: Task) -> list[ArtifactRow]:
    if task.artifacts is None:
        return []
    found = [
        ArtifactRow(name=name, direction="in", place=item.from_ or item.reference or item.key or item.url or "text")
        for name, item in task.artifacts.inputs.items()
    ]
    return found + [
        ArtifactRow(name=name, direction="out", place=item.path) for name, item in task.artifacts.outputs.items()
    ]


ROUTES = (
    Route(
        "GET",
        "runs/{namespace}/{name}/tasks",
        "All tasks of a run, as columns.",
        tasks,
        TasksAnswer,
        needs=(Need("get", RUNS),),
    ),
    Route(
        "GET",
        "runs/{namespace}/{name}/tasks/{key}",
        "A task, or an item, of a run.",
        task,
        TaskAnswer,
        needs=(Need("get", RUNS),),
    ),
)
