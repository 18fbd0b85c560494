"""How a run ends, once every task has ended: its last tasks decide."""

from tradewind.model.run import Phase
from tradewind.plan.attempt import PERMANENT, RUN_TIMEOUT
from tradewind.plan.ledger import Ledger
from tradewind.plan.state import BAD, State

SHOWN = 5


def conclusion(ledger: Ledger, timed_out: bool) -> tuple[Phase, str]:
    """Phase and message. A run fails when a task that nothing depends on failed, or could not run because of a failure."""
    states = ledger.states
    failed = [task for task in ledger.definition.graph.order if _at_fault(ledger, task)]
    if State.CANCELLED in states.values():
        done = f"{ledger.tally[State.SUCCEEDED]} of {ledger.total} tasks had succeeded"
        ended = (unit.ended[-1].reason for unit in ledger.units.values() if unit.ended)
        if timed_out or RUN_TIMEOUT in ended:
            timeout = ledger.definition.spec.timeout
            return "Failed", f"took longer than its timeout ({timeout}); {done}"
        return "Cancelled", f"cancelled after {done}"
    downstream = ledger.definition.graph.downstream
    if any(state in BAD and not downstream[task] for task, state in states.items()):
        return "Failed", _blame(ledger, failed)
    succeeded, skipped = ledger.tally[State.SUCCEEDED], ledger.tally[State.SKIPPED]
    words = f"{succeeded} of {ledger.total} tasks succeeded"
    if skipped:
        words += f"; {skipped} skipped"
    if failed:
        words += f"; failed, but handled downstream: {', '.join(failed[:SHOWN])}"
    return "Succeeded", words


def _at_fault(ledger: Ledger, task: str) -> bool:
    """Whether a task failed, or, chained to a fan-out that succeeded, could not run for items of that which failed."""
    state = ledger.states[task]
    if state is State.UPSTREAM_FAILED:
        return not any(ledger.states[above] in BAD for above in ledger.definition.graph.upstream[task])
    return state in BAD


def _blame(ledger: Ledger, failed: list[str]) -> str:
    """Which tasks failed and why, shortly; and what could not run for it."""
    shown = [_story(ledger, task) for task in failed[:SHOWN]]
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    blocked = sum(state is State.UPSTREAM_FAILED for task, state in ledger.states.items() if task not in failed)
    rest = f"; {blocked} {'task' if blocked == 1 else 'tasks'} downstream did not run" if blocked else ""
    return f"failed: {', '.join(shown)}{more}{rest}"


def _story(ledger: Ledger, task: str) -> str:
    group, unit = ledger.groups.get(task), ledger.units.get(task)
    if group is not None:
        return f"{task} ({group.why})"
    if unit is None or not unit.ended:
        return f"{task} ({unit.why if unit else ''})"
    last = unit.ended[-1]
    code = f", exit code {last.exit_code}" if last.exit_code else ""
    tries = f" after {last.number} attempts" if last.number > 1 and last.reason not in PERMANENT else ""
    return f"{task} ({last.reason}{code}){tries}"
