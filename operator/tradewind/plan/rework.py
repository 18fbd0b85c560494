"""Working on a run: what is to be forgotten, and what is said by hand, for what someone asks."""

from collections.abc import Iterator, Sequence

from tradewind.model.run import Edit, Reuse
from tradewind.plan.attempt import Cleared, Fixed, parse_key
from tradewind.plan.board import Board
from tradewind.plan.definition import Definition
from tradewind.plan.graph import reach
from tradewind.plan.problem import Problem
from tradewind.plan.state import BAD, FINAL, State

Change = Cleared | Fixed
MARKS = {"Succeed": State.SUCCEEDED, "Fail": State.FAILED, "Skip": State.SKIPPED}


def rework(
    board: Board, edits: Sequence[Edit], first: int = 0, retried: bool = False
) -> tuple[list[Change], list[Problem]]:
    """What edits (the first of which has the number `first`) and a retry of what failed come to, given the board as it stands, and
    what is wrong with edits, which then do nothing. Each key is there once, with what was asked for last."""
    changes: dict[str, Change] = {}
    problems: list[Problem] = []
    if retried:
        changes |= _again(board, {task for task, state in board.states.items() if state in (*BAD, State.CANCELLED)})
    for number, edit in enumerate(edits, first):
        found = list(_wrong(board, edit, f"spec.edits[{number}]"))
        problems += found
        if found:
            continue
        if edit.action == "Clear":
            changes |= _clear(board, edit)
        else:
            why = f"marked by hand{f' by {edit.by}' if edit.by else ''}{f': {edit.reason}' if edit.reason else ''}"
            changes |= {key: Fixed(key, MARKS[edit.action], why) for key in edit.tasks}
    return list(changes.values()), problems


def _wrong(board: Board, edit: Edit, path: str) -> Iterator[Problem]:
    for index, key in enumerate(edit.tasks):
        where, (task, item) = f"{path}.tasks[{index}]", parse_key(key)
        if task not in board.states:
            there = ", ".join(sorted(board.states)[:20])
            yield Problem(where, f"there is no task {task!r}", f"there are: {there}")
        elif item is not None and key not in board.units:
            count = len(board.members(task)) if task in board.groups else 0
            yield Problem(where, f"there is no item {key!r}", f"{task} has {count} items, counted from 0")
        elif edit.action == "Clear" and item is not None and board.fixed(task):
            yield Problem(where, f"{task} was marked as a whole", f"clear {task}")
        elif edit.action == "Clear" and not any(_past(board, name) for name in _keys(board, key)):
            state = board.units[key].state if key in board.units else board.states[task]
            yield Problem(where, f"{key} never ran ({state}): there is nothing to clear", "clear what came before it")


def _clear(board: Board, edit: Edit) -> dict[str, Change]:
    found: dict[str, Change] = {}
    tasks: set[str] = set()
    for key in edit.tasks:
        found |= _cleared(board, key)
        tasks.add(parse_key(key)[0])
    below = reach(tasks, board.definition.graph.downstream) if edit.downstream else set()
    for task in below - tasks:
        found |= _cleared(board, task)
    return found | _again(board, tasks | below)


def _again(board: Board, tasks: set[str]) -> dict[str, Change]:
    """What runs once more beside tasks that do: teardowns that have run, with their setups, and exit tasks."""
    found: dict[str, Change] = {}
    definition = board.definition
    for name in definition.protected:
        task = definition.tasks[name]
        concerned = task.on_exit or not tasks.isdisjoint((name, *definition.graph.upstream[name]))
        if concerned and any(_past(board, key) for key in _keys(board, name)):
            found |= _cleared(board, name)
            for setup in task.teardown.of if task.teardown else ():
                found |= _cleared(board, setup)
    return found


def _cleared(board: Board, key: str) -> dict[str, Change]:
    return {name: Cleared(name, _past(board, name)) for name in _keys(board, key) if _past(board, name)}


def _keys(board: Board, key: str) -> list[str]:
    """A task or item; of a fan-out, its items too."""
    group = board.groups.get(key)
    return [key] if group is None else [key, *(unit.key for unit in group.units or ())]


def _past(board: Board, key: str) -> int:
    """Number of the last attempt, which may still run; -1 for what was marked without one, 0 for what has no past."""
    unit = board.units.get(key)
    last = max(unit.next - 1, unit.live.number if unit.live else 0) if unit else 0
    new = unit is None or last > unit.before
    return last if unit and new and last else -1 if board.fixed(key) else 0


def affected(board: Board, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """For people: tasks and items, and what becomes of each; those that will be decided anew come last."""
    told = [item for item in changes if not board.members(item.key)[:1] or item.key in board.units]
    said = [(item.key, f"{_state(board, item.key)}, {_after(item)}") for item in told]
    tasks = {parse_key(item.key)[0] for item in changes}
    below = reach(tasks, board.definition.graph.downstream) - tasks
    for task in board.definition.graph.order:
        state = board.states[task]
        if task in below and state in (State.UPSTREAM_FAILED, State.SKIPPED, State.CANCELLED):
            said.append((task, f"{state}, is decided anew"))
    return said


def _state(board: Board, key: str) -> State:
    return board.units[key].state if key in board.units else board.states[key]


def _after(item: Change) -> str:
    return "runs again" if isinstance(item, Cleared) else f"becomes {item.state}"


def reuse_problems(reuse: Reuse, definition: Definition) -> Iterator[Problem]:
    """Tasks named by `reuse` that there are none of."""
    if reuse.rerun and reuse.only:
        yield Problem("spec.reuse.only", "rerun and only exclude each other", "write one of them")
    for field in ("rerun", "only"):
        for index, task in enumerate(getattr(reuse, field)):
            if task not in definition.tasks:
                there = ", ".join(sorted(definition.tasks)[:20])
                yield Problem(f"spec.reuse.{field}[{index}]", f"there is no task {task!r}", f"there are: {there}")


def taken_over(board: Board, definition: Definition, reuse: Reuse) -> list[Fixed]:
    """What a new run of `definition` need not do, given the other run's board."""
    names, graph = set(definition.tasks), definition.graph
    rerun = {*reuse.rerun, *reach(reuse.rerun, graph.downstream)}
    if reuse.only:
        rerun = set(reuse.only)
    done = {name for name in names - rerun if board.states.get(name) is State.SUCCEEDED} - set(definition.exits)
    for name, task in definition.tasks.items():
        # What a teardown removed has to be made again for those that run.
        again = names - done - set(definition.exits)
        if task.teardown and not reuse.only and not again.isdisjoint({name, *graph.upstream[name]}):
            done -= {name, *task.teardown.of}
    found = [
        Fixed(unit.key, unit.state, f"taken over from run {reuse.run}")
        for name in graph.order
        if name in done
        for unit in board.members(name)
        if unit.state in FINAL
    ]
    found += [
        Fixed(name, State.SUCCEEDED, f"taken over from run {reuse.run}")
        for name in graph.order
        if name in done and name in board.groups
    ]
    if reuse.only:
        needed = reach(reuse.only, graph.upstream)
        for name in graph.order:
            if name not in done and name not in rerun:
                state = State.SUCCEEDED if name in needed else State.SKIPPED
                found.append(Fixed(name, state, "left out: it is not in spec.reuse.only"))
    return found
