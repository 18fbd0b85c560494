"""How a run ends, once every task has ended: its last tasks decide."""

from collections import Counter
from collections.abc import Collection, Mapping

from tradewind.model.run import Phase
from tradewind.model.shown import counted
from tradewind.plan.outcomes.attempt import PERMANENT, RUN_TIMEOUT
from tradewind.plan.outcomes.state import BAD, State
from tradewind.plan.runs.task_ledger import TaskLedger

BLAMED_TASKS_LIMIT = 5


def conclusion(
    ledger: TaskLedger, deciding: Collection[str], timed_out: bool, exited: bool = False, doomed: bool = False
) -> tuple[Phase, str]:
    """Phase and message, as the `deciding` tasks have ended. Exit tasks and handlers don't decide, but are counted in the
    message once they have `exited`. A run fails if a deciding task failed, or could not run because of a failure; if it was
    `doomed`, the others were stopped for that."""
    definition = ledger.definition
    states = {task: state for task, state in ledger.states.items() if task not in definition.aside}
    failed = [task for task in definition.graph.order if task in states and _at_fault(ledger, task)]
    tally, total = (ledger.tally, ledger.total) if exited else _counted(ledger)
    if State.CANCELLED in states.values() and not doomed:
        done = f"{tally[State.SUCCEEDED]} of {counted(total, 'task')} had succeeded"
        ended = (unit.ended[-1].reason for unit in ledger.units.values() if unit.ended)
        if timed_out or RUN_TIMEOUT in ended:
            timeout = ledger.definition.spec.timeout
            return "Failed", f"took longer than its timeout ({timeout}); {done}"
        return "Cancelled", f"cancelled after {done}"
    if any(ledger.counted(task, states[task]) in BAD for task in deciding):
        blamed = [task for task in failed if not (_allowed(ledger, task) or _tidies(ledger, task))]
        stopped = tally[State.CANCELLED] if doomed else 0
        return "Failed", _blame(ledger, blamed, states) + (f"; {stopped} stopped (failFast)" if stopped else "")
    succeeded, skipped = tally[State.SUCCEEDED], tally[State.SKIPPED]
    words = f"{succeeded} of {counted(total, 'task')} succeeded"
    if skipped:
        words += f"; {skipped} skipped"
    allowed = [task for task in failed if _allowed(ledger, task)]
    torn = [task for task in failed if task not in allowed and _tidies(ledger, task)]
    handled = [task for task in failed if task not in allowed and task not in torn]
    for told, tasks in (("handled downstream", handled), ("allowed", allowed), ("only tidying up", torn)):
        if tasks:
            words += f"; failed, but {told}: {', '.join(tasks[:BLAMED_TASKS_LIMIT])}"
    return "Succeeded", words


def exit_story(ledger: TaskLedger) -> str:
    """The failures of exit tasks and handlers, to be added to the message; empty if there are none."""
    definition, words = ledger.definition, ""
    for kind, names in (("exit tasks", definition.exits), ("handlers", sorted(definition.handlers))):
        if failed := [task for task in names if ledger.states[task] in BAD]:
            words += f"; {kind} failed: {', '.join(_story(ledger, task) for task in failed[:BLAMED_TASKS_LIMIT])}"
    return words


def _counted(ledger: TaskLedger) -> tuple[Counter[State], int]:
    """The number of tasks and items by state, and in total, without exit tasks and handlers."""
    tally, total = Counter(ledger.tally), ledger.total
    for task in ledger.definition.aside:
        states = [unit.state for unit in ledger.members(task)] or [ledger.states[task]]
        tally.subtract(states)
        total -= len(states)
    return tally, total


def _allowed(ledger: TaskLedger, task: str) -> bool:
    return ledger.counted(task, ledger.states[task]) is not ledger.states[task]


def _tidies(ledger: TaskLedger, task: str) -> bool:
    teardown = ledger.definition.tasks[task].teardown
    return teardown is not None and not teardown.fails_run


def _at_fault(ledger: TaskLedger, task: str) -> bool:
    """Whether a task failed or, chained to a fan-out that succeeded, could not run for its failed items."""
    state = ledger.states[task]
    if state is State.UPSTREAM_FAILED:
        return not any(ledger.states[above] in BAD for above in ledger.definition.graph.upstream[task])
    return state in BAD


def _blame(ledger: TaskLedger, failed: list[str], states: Mapping[str, State]) -> str:
    """A short list of the tasks that failed and why, and of those that could not run because of them."""
    shown = [_story(ledger, task) for task in failed[:BLAMED_TASKS_LIMIT]]
    more = f" and {len(failed) - BLAMED_TASKS_LIMIT} more" if len(failed) > BLAMED_TASKS_LIMIT else ""
    blocked = sum(state is State.UPSTREAM_FAILED for task, state in states.items() if task not in failed)
    rest = f"; {blocked} {'task' if blocked == 1 else 'tasks'} downstream did not run" if blocked else ""
    return f"failed: {', '.join(shown)}{more}{rest}"


def _story(ledger: TaskLedger, task: str) -> str:
    group, unit = ledger.groups.get(task), ledger.units.get(task)
    if group is not None:
        return f"{task} ({group.why})"
    if unit is None or not unit.ended or unit.ended[-1].succeeded or ledger.fixed(task):
        return f"{task} ({unit.why if unit else ''})"
    last = unit.ended[-1]
    code = f", exit code {last.exit_code}" if last.exit_code else ""
    tries = f" after {last.number} attempts" if last.number > 1 and last.reason not in PERMANENT else ""
    why = f": {unit.why}" if unit.why else ""
    return f"{task} ({last.reason}{code}){tries}{why}"
