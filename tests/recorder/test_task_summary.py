"""One row a task, from the lines of a status."""

import pytest
from tradewind.control.dagrun.attempt_log import Packed, append
from tradewind.plan.outcomes.attempt import Attempt, Cleared, Fixed
from tradewind.plan.outcomes.state import State
from tradewind.recorder import task_summary
from tradewind.recorder.task_summary import TaskRow, summarized

Entry = Attempt | Cleared | Fixed


def rows(*entries: Entry, epoch: int = 100) -> dict[str, TaskRow]:
    packed = append(Packed(), entries, epoch)
    return {row.task: row for row in summarized(packed.text, packed.archive, packed.nodes, epoch)}


def test_a_task_that_succeeds_at_the_second_try() -> None:
    found = rows(Attempt("a", 1, 110, 115, "Error", 3), Attempt("a", 2, 120, 123))["a"]
    assert found == TaskRow("a", "Succeeded", 1, 0, 2, 0, 110_000, 8, 5, "", None)


def test_a_fan_out_is_one_row_with_its_worst_state() -> None:
    ends = [Attempt(f"f[{n}]", 1, 110 + n, 112 + n, "OOMKilled" if n == 7 else "", 137) for n in range(10_000)]
    found = rows(*ends)
    assert found == {"f": TaskRow("f", "Failed", 10_000, 1, 10_000, 0, 110_000, 20_000, 2, "OOMKilled", 137)}


@pytest.mark.parametrize(
    ("reason", "state", "losses"),
    [("NodeLost", "Lost", 1), ("Cancelled", "Cancelled", 0), ("SoftFailed", "Skipped", 0), ("HttpError", "Failed", 0)],
)
def test_the_reason_decides_the_state(reason: str, state: str, losses: int) -> None:
    found = rows(Attempt("a", 1, 110, 111, reason))["a"]
    assert (found.state, found.losses, found.reason) == (state, losses, reason)


def test_attempts_that_were_cleared_count_and_do_not_decide() -> None:
    found = rows(Attempt("a", 1, 110, 111, "Error", 1), Cleared("a", 1), Attempt("a", 2, 120, 121))["a"]
    assert (found.state, found.attempts, found.failed_items) == ("Succeeded", 2, 0)


def test_a_state_set_by_hand_counts_until_it_is_cleared() -> None:
    failed, fixed = Attempt("a", 1, 110, 111, "Error", 1), Fixed("a", State.SUCCEEDED, "by eve")
    assert rows(failed, fixed)["a"].state == "Succeeded"
    assert rows(failed, fixed, Cleared("a", 1))["a"].state == "Cancelled"
    assert rows(Fixed("b", State.SKIPPED))["b"] == TaskRow("b", "Skipped", 1, 0, 0, 0, None, 0, 0, "", None)


def test_old_lines_are_read_from_the_archive() -> None:
    ends = [Attempt(f"task-{n}", 1, 100 + n, 105 + n) for n in range(3_000)]
    assert len(rows(*ends)) == 3_000


def test_more_tasks_than_any_dag_has_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_summary, "TASKS", 3)
    monkeypatch.setattr(task_summary, "ITEMS", 5)
    assert len(rows(*(Attempt(f"t{n}", 1, 1, 2) for n in range(9)))) == 3
    assert rows(*(Attempt(f"f[{n}]", 1, 1, 2) for n in range(9)))["f"].items == 5
