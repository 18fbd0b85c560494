"""Clearing, marking and retrying tasks, and runs that reuse results of others."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.run import Edit, Reuse
from tradewind.plan.outcomes.attempt import Cleared, Fixed
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.rework import affected, kept_failures, moves, reuse_problems, rework, taken_over

from plan.game import Game, defined
from plan.runs.test_planner_properties import check_afresh, check_tallies

CHAIN = {"a": {}, "b": {"dependsOn": ["a"]}, "c": {"dependsOn": ["b"]}, "d": {"dependsOn": ["a"]}}
FAN = {"x": {"forEach": {"range": {"stop": 3}}}, "y": {"dependsOn": ["x"]}}
SCOPED = {**CHAIN, "undo": {"teardown": {"of": ["a"]}}, "tell": {"onExit": ["Always"]}}


def played(tasks: dict[str, Any], *failing: str) -> Game:
    game = Game(defined(tasks))
    game.play(lambda key, _: "Error" if key in failing else "", lambda key: {"of": key})
    game.started = []
    return game


def edit(action: str, *tasks: str, **more: Any) -> Edit:
    return Edit.model_validate({"action": action, "tasks": list(tasks), **more})


def again(game: Game, *edits: Edit, retried: bool = False) -> set[str]:
    """What runs once the edits have been made."""
    changes, problems = rework(game.planner, edits, retried=retried)
    assert problems == []
    game.change(changes)
    game.play(outputs=lambda key: {"of": key})
    return {key for key, _ in game.started}


@pytest.mark.parametrize(
    ("edits", "run"),
    [
        ([edit("Clear", "b")], {"b", "c"}),
        ([edit("Clear", "b", downstream=False)], {"b"}),
        ([edit("Clear", "a")], {"a", "b", "c", "d"}),
        ([edit("Clear", "c", "d")], {"c", "d"}),
        ([edit("Clear", "b"), edit("Skip", "c")], {"b"}),
        ([edit("Skip", "c"), edit("Clear", "b")], {"b", "c"}),
    ],
)
def test_a_cleared_task_runs_again_with_what_depends_on_it_and_the_rest_is_kept(
    edits: list[Edit], run: set[str]
) -> None:
    game = played(CHAIN)
    assert again(game, *edits) == run
    assert all(numbers == [1, 2][: 1 + (key in run)] for key, numbers in _numbers(game).items())


def _numbers(game: Game) -> dict[str, list[int]]:
    return {key: [attempt.number for attempt in attempts] for key, attempts in game.ended.items()}


def test_one_item_of_a_fan_out_runs_again_alone() -> None:
    game = played(FAN)
    assert again(game, edit("Clear", "x[1]")) == {"x[1]", "y"}
    assert game.plan().phase == "Succeeded"


def test_a_fan_out_that_is_cleared_runs_all_its_items_again() -> None:
    assert again(played(FAN), edit("Clear", "x")) == {"x[0]", "x[1]", "x[2]", "y"}


@pytest.mark.parametrize(
    ("action", "states", "run"),
    [
        ("Succeed", {"b": "Succeeded", "c": "Succeeded"}, {"c"}),
        ("Skip", {"b": "Skipped", "c": "Skipped"}, set()),
        ("Fail", {"b": "Failed", "c": "UpstreamFailed"}, set()),
    ],
)
def test_a_marked_task_counts_as_it_is_marked(action: str, states: dict[str, str], run: set[str]) -> None:
    game = played(CHAIN, "b")
    assert again(game, edit(action, "b", by="ada", reason="known to be fine")) == run
    assert {key: game.states()[key] for key in states} == states
    assert game.planner.ledger.units["b"].why == "marked by hand by ada: known to be fine"


def test_a_mark_stops_the_pod_that_runs_and_clearing_undoes_it() -> None:
    game = Game(defined(CHAIN))
    game.start(game.plan().starts[0])
    game.change(rework(game.planner, [edit("Succeed", "a")])[0])
    plan = game.plan()
    assert [(stop.task, stop.reason) for stop in plan.stops] == [("a", "Superseded")] and plan.starts == []
    game.end("a", "Superseded")
    assert game.keys() == ["b", "d"]
    game.change(rework(game.planner, [edit("Clear", "a")])[0])
    assert game.keys() == ["a"] and game.plan().starts[0].number == 2


def test_a_fan_out_can_be_marked_before_and_after_its_items_are_known() -> None:
    game = played(FAN, "x[1]")
    assert again(game, edit("Succeed", "x")) == {"y"}
    assert game.states()["x[1]"] == "Succeeded"
    tasks = {"w": {}, **FAN, "x": {"dependsOn": ["w"], **FAN["x"]}}
    assert again(played(tasks, "w"), edit("Succeed", "x")) == {"y"}


def test_clearing_what_needs_a_setup_runs_the_setup_the_teardown_and_exit_tasks_again() -> None:
    game = played(SCOPED)
    assert again(game, edit("Clear", "c")) == {"a", "c", "undo", "tell"}
    names = [key for key, _ in game.started]
    assert names.index("a") < names.index("c") < names.index("undo") < names.index("tell")


def test_retrying_what_failed_brings_back_the_setup_that_it_needs() -> None:
    game = played(SCOPED, "b")
    assert again(game, retried=True) == {"a", "b", "c", "undo", "tell"}


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        ([edit("Clear", "z")], "spec.edits[4].tasks[0]: there is no task 'z'; there are: a, b, c, d"),
        ([edit("Succeed", "b[0]")], "spec.edits[4].tasks[0]: there is no item 'b[0]'; b has 0 items"),
        ([edit("Clear", "a", "c")], "spec.edits[4].tasks[1]: c never ran (UpstreamFailed): there is nothing to clear"),
        ([edit("Skip", "a"), edit("Fail", "a", "q")], "spec.edits[5].tasks[1]: there is no task 'q'"),
    ],
)
def test_an_edit_that_can_not_be_done_is_refused_and_does_nothing(edits: list[Edit], problem: str) -> None:
    game = played(CHAIN, "b")
    changes, problems = rework(game.planner, edits, first=4)
    assert str(problems[0]).startswith(problem)
    assert changes == [item for item in changes if isinstance(item, Fixed) and item.state is State.SKIPPED]


TYPED = {"a": {"outputs": {"rows": {"type": "integer"}}}, "b": {"dependsOn": ["a"]}, **FAN}


@pytest.mark.parametrize(
    ("marked", "problem"),
    [
        (
            edit("Succeed", "a"),
            "spec.edits[0].tasks[0]: output 'rows' of a is missing; mark a alone, with --output rows=",
        ),
        (
            edit("Succeed", "a", outputs={"a": {"rows": "abc"}}),
            "spec.edits[0].outputs.a.rows: output 'rows': 'abc' is not an integer; write an integer",
        ),
        (
            edit("Succeed", "a", outputs={"a": {"rows": 1, "row": 2}}),
            "spec.edits[0].outputs.a.row: there is no output 'row' of task a; did you mean rows? a has: rows",
        ),
        (edit("Succeed", "b", outputs={"a": {"rows": 1}}), "spec.edits[0].outputs.a: 'a' is not marked as succeeded"),
        (edit("Skip", "a", outputs={"a": {"rows": 1}}), "spec.edits[0].outputs.a: 'a' is not marked as succeeded"),
        (
            edit("Succeed", "x", outputs={"x": {"rows": 1}}),
            "spec.edits[0].outputs.x: x is a fan-out: its outputs are those of its items; give them to x[0]",
        ),
    ],
)
def test_outputs_given_by_hand_are_those_that_the_task_declares(marked: Edit, problem: str) -> None:
    changes, problems = rework(played(TYPED, "a").planner, [marked])
    assert str(problems[0]).startswith(problem) and changes == []


def test_outputs_that_fit_are_taken_and_what_declares_none_may_have_any() -> None:
    edits = [edit("Succeed", "a", "x", outputs={"a": {"rows": 3}}), edit("Succeed", "b", outputs={"b": {"any": 1}})]
    assert rework(played(TYPED, "a").planner, edits)[1] == []


def test_a_mark_does_not_move_what_has_failed_after_it() -> None:
    planner = played(CHAIN, "b").planner
    for marked, goes_on, failed in ((edit("Succeed", "a"), True, ["b"]), (edit("Succeed", "c"), False, [])):
        changes = rework(planner, [marked])[0]
        assert (moves(planner, changes), kept_failures(planner, changes)) == (goes_on, failed)


def test_the_affected_tasks_are_listed_with_what_becomes_of_them() -> None:
    game = played(CHAIN, "b")
    changes = rework(game.planner, [edit("Clear", "a", downstream=False), edit("Succeed", "d")])[0]
    assert affected(game.planner, changes) == [
        ("a", "Succeeded, runs again"),
        ("d", "Succeeded, becomes Succeeded"),
        ("c", "UpstreamFailed, is decided again"),
    ]
    assert affected(game.planner, rework(game.planner, [edit("Clear", "b")])[0])[0] == ("b", "Failed, runs again")


@pytest.mark.parametrize(
    ("failing", "reuse", "run"),
    [
        ([], {}, set()),
        (["b"], {}, {"b", "c", "undo", "tell", "a"}),
        ([], {"rerun": ["c"]}, {"a", "c", "undo", "tell"}),
        ([], {"rerun": ["a"]}, {"a", "b", "c", "d", "undo", "tell"}),
        ([], {"only": ["b"]}, {"b"}),
        (["a"], {"only": ["c"]}, {"c"}),
    ],
)
def test_a_run_takes_over_what_it_need_not_do(failing: list[str], reuse: dict[str, Any], run: set[str]) -> None:
    other = played(SCOPED, *failing)
    taken = taken_over(
        other.planner, other.definition, Reuse.model_validate({"run": "r", **reuse}), other.planner.ledger.run
    )
    game = Game(other.definition)
    game.outputs = {item.key: other.outputs[item.key] for item in taken if item.key in other.outputs}
    game.change(taken)
    assert game.play().phase == "Succeeded"
    expected = run if run or failing else {"tell"}
    assert {key for key, _ in game.started} == expected - ({"tell"} if reuse.get("only") else set())


def test_items_of_a_fan_out_are_taken_over_with_their_outputs() -> None:
    other = played(FAN)
    taken = taken_over(other.planner, other.definition, Reuse(run="r", rerun=["y"]), other.planner.ledger.run)
    game = Game(other.definition)
    game.outputs = {item.key: other.outputs[item.key] for item in taken if item.key in other.outputs}
    game.change(taken)
    game.play()
    assert [key for key, _ in game.started] == ["y"]
    assert game.planner.ledger.seen_by("y", None)("x")["tasks.x.outputs"] == [{"of": f"x[{at}]"} for at in range(3)]


def test_tasks_to_run_again_that_are_none_are_named() -> None:
    definition = defined(CHAIN)
    problems = [*reuse_problems(Reuse(run="r", rerun=["q"], only=["a"]), definition)]
    assert [problem.path for problem in problems] == ["spec.reuse.only", "spec.reuse.rerun[0]"]


@st.composite
def scenes(draw: st.DrawFn) -> Game:
    """A run of a DAG with setups, teardowns, exit tasks, allowed failures and fan-outs."""
    names = [f"t{at}" for at in range(draw(st.integers(1, 5)))]
    tasks: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(names):
        above = sorted(draw(st.sets(st.sampled_from(names[:at]), max_size=2))) if at else []
        task: dict[str, Any] = {"dependsOn": above, "allowFailure": draw(st.booleans())}
        if draw(st.integers(0, 3)) == 0:
            task["forEach"] = {"range": {"stop": draw(st.integers(0, 2))}}
        tasks[name] = task
    if draw(st.booleans()):
        tasks["down"] = {"teardown": {"of": [draw(st.sampled_from(names))], "failsRun": draw(st.booleans())}}
    if draw(st.booleans()):
        tasks["exit"] = {"onExit": [draw(st.sampled_from(["Always", "Failed", "Succeeded", "Cancelled"]))]}
        tasks["last"] = {"onExit": ["Always"], "dependsOn": ["exit"], "triggerRule": "AllDone"}
    return Game(defined(tasks))


@settings(max_examples=80, deadline=None)
@given(scenes(), st.data(), st.integers(0, 2**32))
def test_whatever_people_do_to_a_run_a_new_planner_agrees_and_the_run_ends(
    game: Game, data: st.DataObject, seed: int
) -> None:
    order = Random(seed)
    for _ in range(25):
        plan = game.plan()
        check_tallies(game)
        check_afresh(game, plan, order)
        assert not {start.key for start in plan.starts} & set(game.live), "two attempts at once"
        what = data.draw(st.sampled_from(["start", "start", "end", "end", "edit", "edit", "cancel", "suspend", "stop"]))
        if what == "start" and plan.starts:
            game.start(data.draw(st.sampled_from(plan.starts)))
        elif what == "end" and game.live:
            game.end(data.draw(st.sampled_from(sorted(game.live))), data.draw(st.sampled_from(["", "", "Error"])), {})
        elif what == "edit":
            key = data.draw(st.sampled_from([*game.planner.ledger.states, *game.planner.ledger.units]))
            action = data.draw(st.sampled_from(["Clear", "Succeed", "Fail", "Skip"]))
            game.change(rework(game.planner, [edit(action, key)])[0])
        elif what == "cancel" and data.draw(st.integers(0, 6)) == 0:
            game.cancelled, game.terminated = True, game.terminated or data.draw(st.booleans())
            game.planner.cancel(game.terminated)
        elif what == "suspend":
            game.suspended = not game.suspended
            game.planner.suspend(game.suspended)
        elif plan.stops:
            game.end(plan.stops[0].task, plan.stops[0].reason)
        elif plan.wake_at is not None:
            game.now = max(game.now, plan.wake_at)
    game.suspended = False
    game.planner.suspend(game.suspended)
    final = game.play()
    assert final.phase in ("Succeeded", "Failed", "Cancelled")
    check_afresh(game, final, order)


def test_a_cleared_task_forgets_its_budget() -> None:
    game = played({"a": {"retries": {"limit": 1, "backoff": {"initial": "1s"}}}}, "a")
    assert list(rework(game.planner, [edit("Clear", "a")])[0]) == [Cleared("a", 2)]
    assert again(game, edit("Clear", "a")) == {"a"} and _numbers(game)["a"] == [1, 2, 3]
