"""Why a task, or a run, is where it is: one sentence, what it rests on, and what to do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.kube.pod import Pod
from tradewind.look.tasks.segments import by_attempt
from tradewind.look.unclaimed import unclaimed
from tradewind.look.waiting.reason import SUSPENDED, WORK, Cause, Wait, queued
from tradewind.look.waiting.task_waits import waits
from tradewind.model import duration
from tradewind.model.retries import Retries
from tradewind.model.shown import brief, counted
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES, PREEMPTIONS, Attempt, parse_key
from tradewind.plan.outcomes.state import BAD, FINAL, State
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.unit import Unit

LONGEST = 600
"""Characters of a sentence."""
PATIENCE = 30.0
"""Seconds within which an operator makes a pod."""
_APPROVAL = re.compile(r"approval ([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)")
STEPS = 20
"""Steps of a chain."""
TODO = {
    Cause.QUEUED: "see which runs of the DAG are before it",
    Cause.BACK_OFF: "see the log of the failed attempt",
    Cause.PARALLELISM: "raise `parallelism`, if the cluster has room",
    Cause.POOL: "see who holds the pool; raise its `slots`",
    Cause.QUOTA: "raise the quota, or ask for less in `resources`",
    Cause.PERSON: "decide the approval: approve or reject it",
    Cause.OPERATOR: "is an operator running? `tradewind doctor` looks",
    Cause.SCHEDULING: "make room, or ask for less in resources, nodeSelector and tolerations",
    Cause.CONFIG: "create what is missing, or fix env and envFrom",
    Cause.IMAGE: "check the image's name, its registry and imagePullSecrets",
}
"""What to do about a wait."""
RESUME = "resume the run"


@dataclass(frozen=True, slots=True)
class Why:
    """A sentence. `evidence` is pairs of a kind and a text."""

    sentence: str
    cause: str = ""
    evidence: Sequence[tuple[str, str]] = ()
    todo: str = ""


@dataclass(slots=True)
class Step:
    """A step from what waits to the cause, with the object to go to: its kind and name."""

    text: str
    kind: str = ""
    name: str = ""


@dataclass(slots=True)
class Chain:
    """A task that waits, and what it waits for in the end."""

    wait: Wait
    steps: list[Step] = field(default_factory=list)


def of_run(run: Run, view: RunState | None, now: float) -> Why:
    """Why a run is in its phase."""
    message = str(run.status.get("message") or "").strip()
    if run.final:
        return Why(message or _ended(run), str(run.phase))
    if run.desired == "Suspended":
        words = f"it is suspended: nothing more starts until `tradewind resume {run.name}`"
        return Why(words, str(Cause.PERSON), todo=RESUME)
    if words := unclaimed(run):
        return Why(words, str(Cause.OPERATOR), todo=TODO[Cause.OPERATOR])
    if view is None:
        wait = queued(run)
        return Why(wait.words(now) or "it has not begun", str(wait.cause), todo=_todo(wait))
    every = list(waits(view, now))
    lost = [wait for wait in every if wait.cause not in WORK]
    running = sum(wait.cause is Cause.RUNNING for wait in every)
    works = f"{counted(running, 'task')} {'runs' if running == 1 else 'run'}" if running else ""
    if run.desired in ("Cancelled", "Terminated"):
        return Why(f"it is being stopped; {works or 'no task runs any more'}", str(Cause.RUNNING))
    if not lost:
        return Why(works or message or "it runs", str(Cause.RUNNING))
    longest = max(lost, key=lambda wait: (not _soon(wait, now), wait.seconds(now) or 0.0))
    more = f", and {len(lost) - 1} more wait" if len(lost) > 1 else ""
    sentence = f"{longest.task or 'it'}: {brief(longest.words(now), LONGEST) or f'waits for {longest.cause}'}{more}"
    return Why(f"{works}; {sentence}" if works else sentence, str(longest.cause), todo=_todo(longest))


def _todo(wait: Wait) -> str:
    return RESUME if wait.reason == SUSPENDED else TODO.get(wait.cause, "")


def _soon(wait: Wait, now: float) -> bool:
    """Whether it waits for the operator's next step, which takes a moment."""
    return wait.cause is Cause.OPERATOR and (wait.seconds(now) or 0.0) < PATIENCE


def _ended(run: Run) -> str:
    return {"Succeeded": "all tasks have ended well", "Cancelled": "it was cancelled"}.get(run.phase, "")


def of_unit(view: RunState, unit: Unit, wait: Wait | None, pods: Mapping[str, Pod], message: str, now: float) -> Why:
    """Why a task or item is in its state. `message` is the row's."""
    planner = view.planner
    assert planner is not None  # noqa: S101 - the picture of a run that has begun
    if wait is not None and unit.state not in FINAL and not view.run.final:
        return _waiting(view, planner, unit, wait, pods, message, now)
    last = unit.ended[-1] if unit.ended else None
    evidence = [("state", str(unit.state)), *_of_attempt(last)]
    match unit.state:
        case State.SUCCEEDED:
            how = "" if last is None or last.number == 1 else f", at attempt {last.number}"
            took = f" in {duration.text(last.end - last.start)}" if last else ""
            return Why(unit.why or f"it succeeded{took}{how}", "Succeeded", evidence)
        case State.UPSTREAM_FAILED:
            roots = [*_bad_roots(planner, unit.task)]
            named = ", ".join(roots[:5])
            todo = f"see why {named} failed, and retry" if named else ""
            words = unit.why or (f"it can't run: {named} failed" if named else "it can't run: a dependency failed")
            return Why(words, "UpstreamFailed", [*evidence, *(("dependency", name) for name in roots[:5])], todo)
        case State.FAILED | State.LOST:
            return _failed(planner, unit, last, message, evidence)
        case State.SKIPPED | State.CANCELLED:
            return Why(unit.why or message or f"it was {unit.state.lower()}", str(unit.state), evidence)
        case _:
            words = message or "the run ended before it could start"
            return Why(words, str(State.CANCELLED if view.run.final else unit.state), evidence)


def _failed(planner: Planner, unit: Unit, last: Attempt | None, message: str, evidence: list[tuple[str, str]]) -> Why:
    if last is None:
        return Why(message or unit.why or "it failed without an attempt", "Failed", evidence)
    limits = planner.definition.terms[unit.task].retries
    budget = used(unit, limits)
    evidence = [*evidence, ("budget", budget)]
    known = FAILURES.get(last.reason) or LOSSES.get(last.reason) or PREEMPTIONS.get(last.reason) or ""
    words = f"attempt {last.number} ended as {last.reason or 'Succeeded'}"
    words += f": {brief(message or known, LONGEST)}" if message or known else ""
    why = f"; {unit.why}" if unit.why and unit.why not in message else ""
    todo = "see its log; then retry" if last.reason in FAILURES else "retry: the infrastructure lost it"
    return Why(f"{words}{why}; {budget}", "Failed" if unit.state is State.FAILED else "Lost", evidence, todo)


def spent(unit: Unit) -> tuple[int, int]:
    """How many attempts have used the budget of failures, and that of losses. The planner counts them until a success."""
    if not unit.ended or not unit.ended[-1].succeeded:
        return unit.spent.failures, unit.spent.losses
    counting = [attempt.reason for attempt in unit.ended if attempt.number > unit.retried]
    return sum(reason in FAILURES for reason in counting), sum(reason in LOSSES for reason in counting)


def used(unit: Unit, limits: Retries) -> str:
    """How much of its budgets a unit has used."""
    failures, losses = spent(unit)
    words = f"{counted(failures, 'failure')}, and {counted(limits.limit, 'retry', 'retries')} allowed"
    lost = f"; {counted(losses, 'loss', 'losses')}, and {limits.infrastructure_limit} allowed" if losses else ""
    return words + lost


def _of_attempt(last: Attempt | None) -> Iterator[tuple[str, str]]:
    if last is None:
        return
    code = "" if last.exit_code is None else f", exit code {last.exit_code}"
    yield (
        "attempt",
        f"attempt {last.number}: {last.reason or 'Succeeded'}{code}" + (f" on {last.node}" * bool(last.node)),
    )


def _bad_roots(planner: Planner, task: str) -> Iterator[str]:
    """The tasks upstream that failed by themselves."""
    seen, stack = {task}, [task]
    while stack:
        for name in planner.definition.graph.upstream[stack.pop()]:
            if name in seen or planner.ledger.states[name] not in BAD:
                continue
            seen.add(name)
            if planner.ledger.states[name] is State.UPSTREAM_FAILED:
                stack.append(name)
            else:
                yield name


def _waiting(
    view: RunState, planner: Planner, unit: Unit, wait: Wait, pods: Mapping[str, Pod], message: str, now: float
) -> Why:
    words = wait.words(now) or message
    evidence = [("state", str(unit.state))]
    if wait.reason and wait.reason != "Running":
        evidence.append(("status", f"{wait.reason}: {brief(wait.message, LONGEST)}".rstrip(": ")))
    evidence += _of_attempt(unit.ended[-1] if unit.ended else None)
    if unit.live is not None and (pod := by_attempt(view.run, pods).get((unit.key, unit.live.number))):
        evidence += [
            (
                "condition",
                f"{item.type} {item.status}: {item.reason or ''} {brief(item.message or '', LONGEST)}".strip(),
            )
            for item in pod.status.conditions
            if item.status != "True"
        ]
    if wait.cause is Cause.RUNNING:
        lasts = f" for {duration.text(round(wait.seconds(now) or 0))}" if wait.since is not None else ""
        return Why(words or f"it has run{lasts}", str(wait.cause), evidence)
    if wait.cause is Cause.DEPENDENCIES:
        found = chain(view, planner, wait, {}, now)
        end = found.steps[-1].text if len(found.steps) > 1 else ""
        return Why(f"{words}; {end}" if end else words or "it waits for what it depends on", str(wait.cause), evidence)
    return Why(words or f"it waits for {wait.cause}", str(wait.cause), evidence, _todo(wait))


def chain(view: RunState, planner: Planner, wait: Wait, known: Mapping[str, Wait], now: float) -> Chain:
    """From a task that waits to the cause. `known` are the waits of the run, by task; without them they are computed."""
    known = known or {found.task: found for found in waits(view, now)}
    made, seen, at = Chain(wait), set[str](), wait
    while len(made.steps) < STEPS and at.task not in seen:
        seen.add(at.task)
        words = brief(at.words(now), LONGEST) or ("runs" if at.cause is Cause.RUNNING else f"waits for {at.cause}")
        made.steps.append(Step(f"{at.task} {words}" if at.cause in WORK else f"{at.task}: {words}", "task", at.task))
        if at.cause is Cause.POOL:
            made.steps[-1].kind, made.steps[-1].name = "pool", _pool(planner, at)
        elif at.cause is Cause.PERSON and (asked := _APPROVAL.search(at.message)):
            made.steps[-1].kind, made.steps[-1].name = "approval", asked[1]
        following = _blocker(planner, at, known) if at.cause is Cause.DEPENDENCIES else None
        if following is None:
            break
        at = following
    return made


def _pool(planner: Planner, wait: Wait) -> str:
    claims = planner.ledger.pools(parse_key(wait.task)[0])
    return next((claim.name for claim in claims if f"'{claim.name}'" in wait.message), claims[0].name if claims else "")


def _blocker(planner: Planner, wait: Wait, known: Mapping[str, Wait]) -> Wait | None:
    """The wait of what a blocked task waits for: first what is lost time, then what runs."""
    task, index = parse_key(wait.task)
    gate = planner.ledger.gate(task, planner.ledger.counterpart(task, index))
    open_ = [name for name in dict.fromkeys((*gate.dependencies, *gate.needs)) if gate.state(name) not in FINAL]
    found = [other for name in open_ for other in _waits_of(planner, name, index, known)]
    ranked = sorted(found, key=lambda other: (other.cause is Cause.DEPENDENCIES, other.cause is Cause.RUNNING))
    return ranked[0] if ranked else None


def _waits_of(planner: Planner, name: str, index: int | None, known: Mapping[str, Wait]) -> Iterator[Wait]:
    if name in known:
        yield known[name]
        return
    units = planner.ledger.members(name)
    first = [unit for unit in units if unit.index == index] or units
    yield from (known[unit.key] for unit in first if unit.key in known)
