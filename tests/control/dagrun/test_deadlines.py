"""Which deadlines of a run are missed, from what is so at a moment."""

from typing import Any

import pytest
from plan.game import Game, defined
from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.deadlines import NAMED, next_due, told, words
from tradewind.control.dagrun.run import Run, read_run
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.outcomes.state import State

CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z
TASKS: dict[str, Any] = {"a": {"deadline": "1m"}, "b": {"dependsOn": ["a"], "deadline": "5m"}, "c": {}}


def run(**status: Any) -> Run:
    meta = {
        "name": "r",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    began = {"phase": "Running", "revision": "x", "startedAt": "2026-01-01T00:10:00Z"}
    return read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {**began, **status}})


def game(deadline: str = "", tasks: dict[str, Any] = TASKS) -> Game:
    return Game(defined(tasks, **({"deadline": deadline} if deadline else {})))


def missed(played: Game, minutes: float, **status: Any) -> tuple[list[str], float | None]:
    """What is late this number of minutes after the creation, and after how many the next may be."""
    about = run(**status), played.planner, CREATED + 60 * minutes
    late, ahead = deadlines.missed(*about), next_due(*about)
    return [what for what, _, _ in late], None if ahead is None else (ahead - CREATED) / 60


@pytest.mark.parametrize(
    ("minutes", "late", "ahead"),
    [(10.5, [], 11), (11, ["a"], 12), (12, ["the run", "a"], 15), (20, ["the run", "a", "b"], None)],
)
def test_a_run_counts_from_its_creation_and_tasks_from_its_start(
    minutes: float, late: list[str], ahead: float | None
) -> None:
    assert missed(game("12m"), minutes) == (late, ahead)


def test_a_task_that_ended_late_stays_late_and_one_in_time_is_not() -> None:
    played = game()
    for key, end in (("a", CREATED + 700), ("b", CREATED + 800)):
        played.planner.tell_ended(key, [Attempt(key, 1, CREATED + 650, end)], 0.0)
    played.planner.settle(0.0)
    assert [played.planner.ledger.states[name] for name in "ab"] == [State.SUCCEEDED] * 2
    assert missed(played, 60) == (["a"], None)


def test_a_task_that_never_ran_is_not_late_once_it_is_decided() -> None:
    played = game()
    played.planner.tell_fixed("a", State.SKIPPED, "by hand")
    played.planner.settle(0.0)
    assert missed(played, 60) == ([], None)


def test_a_reopened_run_has_its_time_anew() -> None:
    again = "2026-01-01T01:00:00Z"
    assert (
        missed(game("12m"), 61.5, reopenedAt=again) == (["a"], 65)
        and missed(game("12m"), 60, reopenedAt=again)[0] == []
    )


def test_a_dag_without_deadlines_is_never_late_and_broken_times_count_from_the_creation() -> None:
    assert missed(game(tasks={"a": {}}), 1e6) == ([], None)
    assert missed(game(), 2, startedAt="soon") == (["a"], 5)


def test_the_words_are_bounded_and_found_again_in_a_status() -> None:
    text = words([(f"t{number}", "1m", 0.0) for number in range(NAMED + 5)])
    assert text.endswith("t9 (1m) and 5 more; nothing is stopped because of it")
    assert told({"conditions": [{"type": "Ready"}, {"type": "DeadlineMissed", "message": text}]}) == text
    assert told({}) == told({"conditions": None}) == ""


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"deadline": "soon"}, "spec.deadline: 'soon' is not a duration"),
        ({"deadline": "0s"}, "spec.deadline: '0s' is too short"),
        ({"tasks": {"a": {"compute": {"n": "1"}, "deadline": 5}}}, "spec.tasks.a.deadline: "),
    ],
)
def test_what_is_no_duration_is_told_with_its_field(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as caught:
        define({"tasks": {"a": {"compute": {"n": "1"}}}, **spec})
    assert any(str(problem).startswith(path) for problem in caught.value.problems), caught.value
