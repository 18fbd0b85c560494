"""How a run ends, once every task has ended: its last tasks decide."""

from typing import TYPE_CHECKING

from tradewind.model.run import Phase
from tradewind.plan.attempt import PERMANENT, RUN_TIMEOUT
from tradewind.plan.state import BAD, State

if TYPE_CHECKING:
    from tradewind.plan.board import Board

SHOWN = 5


def conclusion(board: "Board", timed_out: bool) -> tuple[Phase, str]:
    """Phase and message. A run fails when a task that nothing depends on failed, or could not run because of a failure."""
    states = board.states
    failed = [task for task in board.definition.graph.order if states[task] in (State.FAILED, State.LOST)]
    if State.CANCELLED in states.values():
        done = f"{board.tally[State.SUCCEEDED]} of {board.total} tasks had succeeded"
        ended = (unit.ended[-1].reason for unit in board.units.values() if unit.ended)
        if timed_out or RUN_TIMEOUT in ended:
            timeout = board.definition.spec.timeout
            return "Failed", f"took longer than its timeout ({timeout}); {done}"
        return "Cancelled", f"cancelled after {done}"
    downstream = board.definition.graph.downstream
    if any(state in BAD and not downstream[task] for task, state in states.items()):
        return "Failed", _blame(board, failed)
    succeeded, skipped = board.tally[State.SUCCEEDED], board.tally[State.SKIPPED]
    words = f"{succeeded} of {board.total} tasks succeeded"
    if skipped:
        words += f"; {skipped} skipped"
    if failed:
        words += f"; failed, but handled downstream: {', '.join(failed[:SHOWN])}"
    return "Succeeded", words


def _blame(board: "Board", failed: list[str]) -> str:
    """Which tasks failed and why, shortly; and what could not run for it."""
    shown = [_story(board, task) for task in failed[:SHOWN]]
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    blocked = sum(state is State.UPSTREAM_FAILED for state in board.states.values())
    rest = f"; {blocked} {'task' if blocked == 1 else 'tasks'} downstream did not run" if blocked else ""
    return f"failed: {', '.join(shown)}{more}{rest}"


def _story(board: "Board", task: str) -> str:
    group, unit = board.groups.get(task), board.units.get(task)
    if group is not None:
        return f"{task} ({group.why})"
    if unit is None or not unit.ended:
        return f"{task} ({unit.why if unit else ''})"
    last = unit.ended[-1]
    code = f", exit code {last.exit_code}" if last.exit_code else ""
    tries = f" after {last.number} attempts" if last.number > 1 and last.reason not in PERMANENT else ""
    return f"{task} ({last.reason}{code}){tries}"
