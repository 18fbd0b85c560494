"""Manual changes to a run: which results to drop, and which states to set."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from tradewind.model.run import Edit, Reuse
from tradewind.model.shown import counted
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.graph import reach
from tradewind.plan.documents.nearest import choose, listed, unknown_tasks
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.expressions.spelling import cel_name
from tradewind.plan.expressions.typed_values import problem_with
from tradewind.plan.outcomes.attempt import Cleared, Fixed, Retried, parse_key
from tradewind.plan.outcomes.state import BAD, FINAL, State
from tradewind.plan.runs.approved import DECIDED, MARKED, Approvals, decided, given, marked, passed_over, same
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.planner import Planner

Change = Cleared | Retried | Fixed
MARKS = {"Succeed": State.SUCCEEDED, "Fail": State.FAILED, "Skip": State.SKIPPED}


def rework(
    planner: Planner, edits: Sequence[Edit], first: int = 0, retried: bool = False, within: Collection[str] = ()
) -> tuple[list[Change], list[Problem]]:
    """The changes from edits (the first of which has the number `first`) and a retry of failed tasks, given the current
    planner; and what is wrong with edits, which then have no effect. Each key occurs once, with its latest change. Runs
    of the DAGs in `within` ask for approvals."""
    changes: dict[str, Change] = {}
    problems: list[Problem] = []
    approvals = Approvals(planner.definition, within, planner.selection.unneeded)
    pending = approvals.open(planner) if any(edit.action != "Clear" for edit in edits) else 0
    if retried:
        failed = {task for task, state in planner.ledger.states.items() if state in (*BAD, State.CANCELLED)}
        asked = [name for name in approvals.asking if name in failed and ran(planner, name)]
        again = _clear(planner, [name for name in asked if planner.definition.tasks[name].approval])
        again |= _again(planner, failed)
        changes |= _tried_again(planner, failed) | _cleared(planner, _decided_again(planner, failed))
        changes |= _asked_again(planner, approvals, failed, again)  # Whole approvals, also if an item of one is live.
    for number, edit in enumerate(pacing.each(edits), first):
        path = f"spec.edits[{number}]"
        found = [*_wrong(planner, edit, path)] or [*_passing(planner, edit, path, approvals, pending, changes)]
        found = found or [*_unfit_outputs(planner.definition, edit, path, planner.selection.left_out)]
        problems += found
        if found:
            continue
        if edit.action == "Clear":
            changes |= _asked_again(planner, approvals, set(), _clear(planner, edit.tasks, edit.downstream))
        else:
            why = f"{MARKED}{f' by {edit.by}' if edit.by else ''}{f': {edit.reason}' if edit.reason else ''}"
            changes |= {key: Fixed(key, MARKS[edit.action], why) for key in edit.tasks}
    return list(changes.values()), problems


def _named(edit: Edit, path: str) -> Iterator[tuple[str, str]]:
    """Paths and keys of the tasks that an edit names, each once."""
    seen = set[str]()
    for index, key in enumerate(pacing.each(edit.tasks)):
        if key not in seen:
            seen.add(key)
            yield f"{path}.tasks[{index}]", key


def _wrong(planner: Planner, edit: Edit, path: str) -> Iterator[Problem]:
    there = ""
    for where, key in _named(edit, path):
        task, item = parse_key(key)
        if task not in planner.ledger.states:
            there = there or listed(planner.ledger.states)
            yield Problem(where, f"there is no task {task!r}", f"there are: {there}")
        elif item is not None and key not in planner.ledger.units:
            count = len(planner.ledger.members(task)) if task in planner.ledger.groups else 0
            yield Problem(where, f"there is no item {key!r}", f"{task} has {counted(count, 'item')}, counted from 0")
        elif edit.action == "Clear" and item is not None and planner.fixed(task):
            yield Problem(where, f"{task} was marked as a whole", f"clear {task}")
        elif edit.action == "Clear" and not ran(planner, key):
            state = planner.ledger.units[key].state if key in planner.ledger.units else planner.ledger.states[task]
            yield Problem(where, f"{key} never ran ({state}): there is nothing to clear", "clear a task upstream of it")


def unfit_at_start(definition: Definition, edits: Sequence[Edit], left_out: Collection[str]) -> Iterator[Problem]:
    """Mistakes in the edits with which a run begins that leaves tasks out."""
    for number, edit in enumerate(pacing.each(edits)):
        path, there = f"spec.edits[{number}]", definition.tasks
        unknown = [(where, key) for where, key in _named(edit, path) if parse_key(key)[0] not in there]
        yield from unknown_tasks(unknown, there)
        if not unknown:
            yield from _unfit_outputs(definition, edit, path, left_out)


def _unfit_outputs(definition: Definition, edit: Edit, path: str, left_out: Collection[str]) -> Iterator[Problem]:
    """Outputs given by hand that don't fit the declarations of the tasks. Tasks that the run leaves out need only those
    that it uses."""
    for key in pacing.each(edit.outputs):
        if edit.action != "Succeed" or key not in edit.tasks:
            what = f"{key!r} is not marked as succeeded by this edit"
            yield Problem(f"{path}.outputs.{key}", what, "give outputs of tasks that are")
    for where, key in _named(edit, path) if edit.action == "Succeed" else ():
        name, item = parse_key(key)
        task, known = definition.tasks[name], definition.names.tasks[cel_name(name)]
        given, at = edit.outputs.get(key) or {}, f"{path}.outputs.{key}"
        if known.fan_out and item is None:  # outputs of items are kept
            if given:
                what = f"{name} is a fan-out: its outputs are those of its items"
                yield Problem(at, what, f"give them to {name}[0] and so on")
            continue
        for output in task.outputs:
            if output not in given and name not in left_out:
                way = f"mark {key} alone, with --output {output}=VALUE"
                yield Problem(where, f"output {output!r} of {key} is missing", way)
        for output, value in pacing.each(given.items()):
            if known.keys is not None and output not in known.keys:
                there = choose(output, known.keys, f"{name} has: {listed(known.keys)}")
                yield Problem(f"{at}.{output}", f"there is no output {output!r} of task {name}", there)
            elif output in task.outputs and (problem := problem_with(task.outputs[output], value, at)):
                yield Problem(f"{at}.{output}", f"output {output!r}: {problem.what}", problem.instead)


def _passing(
    planner: Planner, edit: Edit, path: str, approvals: Approvals, pending: int, changes: Mapping[str, Change]
) -> Iterator[Problem]:
    """The ways in which an edit would bypass an approval: those in `pending` were not given; `changes` are those of the
    previous edits."""
    if edit.action != "Clear":
        pending |= approvals.anew(changes)
    for where, key in _named(edit, path):
        task = parse_key(key)[0]
        approval = approvals.sealed.get(task)
        if edit.action == "Clear":
            if approval and not edit.downstream:
                what = f"approval {approval} is about {key}" if approval != task else f"{key} is an approval"
                yield Problem(where, f"{what}: it does not run again alone", "clear what depends on it too")
        elif approval == task:
            what = f"{key} {_asks(planner, task)}: only a decision ends it"
            yield Problem(where, what, "use `tradewind approve` or `tradewind reject`")
        elif approval:
            yield Problem(where, f"approval {approval} is about what {key} really does", "use `tradewind clear`")
        elif missing := approvals.first(task, pending):
            yield Problem(where, f"{key} waits for approval {missing}, which was not given", "use `tradewind approve`")


def _asks(planner: Planner, task: str) -> str:
    dag = planner.definition.tasks[task].dag
    return f"runs {dag}, which has approvals" if dag else "is an approval"


def _clear(planner: Planner, keys: Sequence[str], downstream: bool = True) -> dict[str, Change]:
    tasks = {parse_key(key)[0] for key in keys}
    below = reach(tasks, planner.definition.graph.downstream) if downstream else set()
    below -= planner.definition.handlers  # What ends again is handled again, as another end.
    return _cleared(planner, dict.fromkeys((*keys, *(below - tasks)))) | _again(planner, tasks | below)


def _asked_again(
    planner: Planner, approvals: Approvals, tasks: Collection[str], changes: dict[str, Change]
) -> dict[str, Change]:
    """The changes, extended by the approvals that were about something in them, or in `tasks`, and all that depends on
    these."""
    while True:
        anew = {*tasks, *(parse_key(key)[0] for key in pacing.each(changes))} if approvals.asking else set()
        bits = approvals.bits(anew)
        asked = [
            name
            for name in pacing.each(approvals.asking)
            if name not in anew and approvals.waits(name, bits) and ran(planner, name)
        ]
        if not asked:
            return changes
        changes = changes | _clear(planner, asked)


def _tried_again(planner: Planner, failed: Iterable[str]) -> dict[str, Change]:
    """Fresh budgets for what has failed for good, and for nothing else: what runs for the first time has its own."""
    units = (unit for task in failed for unit in planner.ledger.members(task) if not planner.fixed(task))
    return {
        unit.key: Retried(unit.key, unit.ended[-1].number)
        for unit in pacing.each([*units])
        if unit.ended and unit.state in (*BAD, State.CANCELLED) and not planner.fixed(unit.key)
    }


def _decided_again(planner: Planner, failed: set[str]) -> Iterator[str]:
    """Items that run of fan-outs whose trigger rule is asked again once what failed has been tried again: they may not be items then."""
    definition = planner.definition
    for name, group in pacing.each(planner.ledger.groups.items()):
        asked = name not in definition.handlers and not group.source.items_of
        if asked and not failed.isdisjoint(definition.graph.upstream[name]):
            yield from (unit.key for unit in group.units or () if unit.live)


def _again(planner: Planner, tasks: set[str]) -> dict[str, Change]:
    """What runs again together with these tasks: teardowns that have run, with their setups, and exit tasks."""
    found: dict[str, None] = {}
    definition = planner.definition
    for name in pacing.each(definition.protected - definition.handlers):
        task = definition.tasks[name]
        concerned = task.on_exit or not tasks.isdisjoint((name, *definition.graph.upstream[name]))
        if concerned and ran(planner, name):
            found |= dict.fromkeys((name, *(task.teardown.of if task.teardown else ())))
    return _cleared(planner, found)


def _cleared(planner: Planner, keys: Iterable[str]) -> dict[str, Change]:
    names = (name for key in pacing.each(keys) for name in pacing.each(_keys(planner, key)))
    return {name: Cleared(name, past) for name in names if (past := _past(planner, name))}


def _keys(planner: Planner, key: str) -> list[str]:
    """A task or item; for a fan-out, its items too."""
    group = planner.ledger.groups.get(key)
    return [key] if group is None else [key, *(unit.key for unit in group.units or ())]


def ran(planner: Planner, key: str) -> bool:
    """Whether a task or item has attempts that count, or was marked."""
    return any(_past(planner, name) for name in pacing.each(_keys(planner, key)))


def _past(planner: Planner, key: str) -> int:
    """Number of the last attempt, which may still run; -1 if it was marked without one, 0 if it has no past."""
    unit = planner.ledger.units.get(key)
    last = max(unit.next - 1, unit.live.number if unit.live else 0) if unit else 0
    new = unit is None or last > unit.before
    return last if unit and new and last else -1 if planner.fixed(key) else 0


def affected(planner: Planner, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """For people: tasks and items, and what happens to each; those that will be decided again come last."""
    told = [item for item in changes if not planner.ledger.members(item.key)[:1] or item.key in planner.ledger.units]
    said = [(item.key, f"{_state(planner, item.key)}, {_after(item)}") for item in told]
    anew = _decided_anew(planner, changes)
    return said + [(task, f"{planner.ledger.states[task]}, is decided again") for task in anew]


def moves(planner: Planner, changes: Sequence[Change]) -> bool:
    """Whether changes may let something run."""
    return bool(_decided_anew(planner, changes)) or any(isinstance(item, Cleared) for item in changes)


def _decided_anew(planner: Planner, changes: Sequence[Change]) -> list[str]:
    return _below(planner, changes, State.UPSTREAM_FAILED, State.SKIPPED, State.CANCELLED)


def kept_failures(planner: Planner, changes: Sequence[Change]) -> list[str]:
    """Tasks downstream of the changes that have failed and stay so."""
    return _below(planner, changes, State.FAILED, State.LOST)


def _below(planner: Planner, changes: Sequence[Change], *states: State) -> list[str]:
    """Unchanged tasks downstream of the changes, in one of these states."""
    tasks = {parse_key(item.key)[0] for item in changes}
    below = reach(tasks, planner.definition.graph.downstream) - tasks
    return [task for task in planner.definition.graph.order if task in below and planner.ledger.states[task] in states]


def _state(planner: Planner, key: str) -> State:
    return planner.ledger.units[key].state if key in planner.ledger.units else planner.ledger.states[key]


def _after(item: Change) -> str:
    if isinstance(item, Fixed):
        return f"becomes {item.state}"
    return "runs again" if isinstance(item, Cleared) else "is tried again"


def reuse_problems(reuse: Reuse, definition: Definition) -> Iterator[Problem]:
    """Tasks named by `reuse` that don't exist."""
    if reuse.rerun and reuse.only:
        yield Problem("spec.reuse.only", "rerun and only exclude each other", "write one of them")
    there = ""
    for field in ("rerun", "only"):
        for index, task in enumerate(getattr(reuse, field)):
            if task not in definition.tasks:
                there = there or listed(definition.tasks)
                yield Problem(f"spec.reuse.{field}[{index}]", f"there is no task {task!r}", f"there are: {there}")


def taken_over(
    planner: Planner,
    definition: Definition,
    reuse: Reuse,
    run: RunFacts,
    within: Collection[str] = (),
    same_calls: bool = False,
) -> list[Fixed]:
    """The results that a new run of `definition`, with the facts `run`, reuses, given the other run's planner. Runs of
    the DAGs in `within` ask for approvals. A decision is reused by a run of the same DAG with the same params and
    dates, whose sub-DAGs at any depth are bound to the same revisions (`same_calls`); otherwise it is asked for again,
    and what depends on it runs again. Raises Invalid if `reuse.only` omits a needed one."""
    approvals = Approvals(definition, within)
    unchanged = same(planner, definition, run, same_calls)
    done = {
        name
        for name in _done(planner, definition, reuse)
        if not (name in approvals.sealed and name not in approvals.asking and marked(planner, name))
    }
    if reuse.only:
        _require(planner, approvals, reuse, done if unchanged else done - set(approvals.asking))
        return [*_taken(planner, definition, reuse, done, approvals), *_left_out(definition, reuse, done)]
    skipped = {
        name
        for name in definition.tasks
        if planner.ledger.states.get(name) is State.SKIPPED
        and not planner.fixed(name)
        and name not in planner.selection.left_out
        and (name not in approvals.asking or passed_over(planner, name))
    }
    skipped -= {*reuse.rerun, *approvals.after(*reuse.rerun)}
    while True:
        before = len(done)
        _undo_torn_down(definition, done)
        _ask_again(approvals, planner if unchanged else None, done, skipped)
        if len(done) == before:
            return _taken(planner, definition, reuse, done, approvals)


def _done(planner: Planner, definition: Definition, reuse: Reuse) -> set[str]:
    """Tasks that succeeded and need not run again."""
    rerun = set(reuse.only) or {*reuse.rerun, *reach(reuse.rerun, definition.graph.downstream)}
    names = definition.tasks.keys() - rerun - set(definition.exits) - definition.handlers
    left_out = {name for name in planner.selection.left_out if not planner.fixed(name)}
    return {name for name in names - left_out if planner.ledger.states.get(name) is State.SUCCEEDED}


def _undo_torn_down(definition: Definition, done: set[str]) -> None:
    """Drops results that a teardown has removed and that tasks to run need."""
    for name, task in pacing.each(definition.tasks.items()):
        if task.teardown and any(
            other not in done and not definition.tasks[other].on_exit
            for other in (name, *definition.graph.upstream[name])
        ):
            done -= {name, *task.teardown.of}


def _ask_again(approvals: Approvals, planner: Planner | None, done: set[str], skipped: Collection[str]) -> None:
    """Drops results that approvals decide about, if these are asked for again: because they were not decided on the
    planner, or because a task before them is neither done nor skipped. Without a planner all are asked for again."""
    graph, asking = approvals.definition.graph, set(approvals.asking)
    unsure, asked = set[str](), set[str]()
    for name in pacing.each(graph.order if asking else ()):
        above = graph.upstream[name]
        if any(other in unsure or not (other in done or other in skipped) for other in above):
            unsure.add(name)
        if not asked.isdisjoint(above) or (
            name in asking
            and (
                planner is None or name in unsure or not (name in skipped or (name in done and decided(planner, name)))
            )
        ):
            asked.add(name)
            done.discard(name)


def _require(planner: Planner, approvals: Approvals, reuse: Reuse, done: Collection[str]) -> None:
    """Raises Invalid for approvals that `reuse.only` would bypass."""
    only = set(reuse.only)
    needed = only | reach(only, approvals.definition.graph.upstream)
    problems = []
    undone = approvals.bits(approvals.definition.tasks.keys() - set(done))
    for name in pacing.each(approvals.asking):
        if name not in needed or (name in done and given(planner, name) and not approvals.waits(name, undone)):
            continue
        if name not in only:
            what = f"approval {name} is needed, and was not given to run {reuse.run} for the same DAG, sub-DAGs, params and dates"
            problems.append(Problem("spec.reuse.only", what, f"name {name} too, or use rerun"))
        elif missing := sorted(((approvals.before(name) - set(done)) | (approvals.after(name) & needed)) - only):
            what = f"{missing[0]} is upstream or downstream of approval {name}, which must be given again"
            problems.append(Problem("spec.reuse.only", what, f"name {missing[0]} too, or use rerun"))
    if problems:
        raise Invalid(problems)


def _taken(
    planner: Planner, definition: Definition, reuse: Reuse, done: Collection[str], approvals: Approvals
) -> list[Fixed]:
    found = []
    for name in (name for name in definition.graph.order if name in done):
        usual = f"{DECIDED if name in approvals.asking else 'reused from run '}{reuse.run}"
        units = [unit for unit in planner.ledger.members(name) if unit.state in FINAL]
        found += [Fixed(unit.key, unit.state, _reused(unit.why, usual)) for unit in units]
        if name in planner.ledger.groups:
            found.append(Fixed(name, State.SUCCEEDED, _reused(planner.ledger.groups[name].why, usual)))
    return found


def _reused(why: str, usual: str) -> str:
    """The explanation of a reused result. What approvals depend on stays."""
    return why if why.startswith((DECIDED, MARKED)) else usual


def _left_out(definition: Definition, reuse: Reuse, done: Collection[str]) -> list[Fixed]:
    """Tasks that `reuse.only` does not name and the other run had not done."""
    needed, left = reach(reuse.only, definition.graph.upstream), definition.tasks.keys() - set(done) - set(reuse.only)
    return [
        Fixed(name, State.SUCCEEDED if name in needed else State.SKIPPED, "not run: it is not in spec.reuse.only")
        for name in definition.graph.order
        if name in left
    ]
