"""Runs of some tasks only: which run, which decide, and which approvals that must not bypass."""

from typing import Any

import pytest
from tradewind.model.run import Edit, Reuse
from tradewind.plan.dags.selection import bypassed, select, selection_problems
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import rework, taken_over, unfit_at_start

from plan.game import Game, defined

CHAIN: dict[str, Any] = {
    "up": {},
    "load": {"dependsOn": ["up"]},
    "test": {"dependsOn": ["load"]},
    "ship": {"dependsOn": ["test"]},
    "other": {},
    "down": {"teardown": {"of": ["up"]}},
    "bye": {"onExit": ["Always"]},
    "tell": {"handles": {"of": ["*"], "ends": ["Failed", "Skipped"]}},
}


def played(only: tuple[str, ...] = (), until: tuple[str, ...] = (), failing: str = "") -> Game:
    class Selecting(Game):
        def anew(self, shuffle: Any = None) -> Planner:
            run = RunFacts("r", "ns", "uid", "d", only=only, until=until)
            planner = Planner(self.definition, run)
            for key in self.ended:
                planner.tell_ended(key, self.counting(key), self.seen[key])
            return planner

    game = Selecting(defined(CHAIN))
    game.play(lambda key, number: "Error" if key == failing else "")
    return game


def ran(game: Game) -> list[str]:
    return [key for key, _ in game.started]


def test_until_runs_what_is_needed_with_teardowns_and_exit_tasks() -> None:
    game = played(until=("load",))
    assert sorted(ran(game)) == ["bye", "down", "load", "up"]
    states = game.states()
    assert states["test"] == states["ship"] == states["other"] == "Skipped" and states["tell"] == "Skipped"
    assert game.plan().phase == "Succeeded"


def test_only_runs_nothing_else() -> None:
    game = played(only=("load",))
    assert ran(game) == ["load"]
    assert game.states()["up"] == "Succeeded" and game.states()["ship"] == "Skipped"


@pytest.mark.parametrize("selection", [{"until": ("load",)}, {"only": ("load",)}])
def test_a_failure_of_the_last_task_that_runs_fails_the_run(selection: dict[str, tuple[str, ...]]) -> None:
    game = played(**selection, failing="load")
    assert game.plan().phase == "Failed"
    assert game.plan().message.startswith("failed: load (Error, exit code 1)")
    assert "test" not in ran(game)


def test_a_restart_changes_nothing() -> None:
    game = played(until=("load",))
    plan, states = game.plan(), game.states()
    game.planner = game.anew()
    assert (game.plan().phase, game.plan().message, game.states()) == (plan.phase, plan.message, states)


def test_without_a_selection_all_tasks_run_and_the_last_decide() -> None:
    definition = defined(CHAIN)
    found = select(definition)
    assert not found.left_out and found.deciding == definition.deciding == {"ship", "other"}


def test_what_is_left_out_counts_as_done_before_and_as_skipped_after() -> None:
    assert select(defined(CHAIN), only=["test"]).left_out["load"] is State.SUCCEEDED
    assert select(defined(CHAIN), only=["test"]).left_out["ship"] is State.SKIPPED


@pytest.mark.parametrize(
    ("only", "until", "words"),
    [
        (["lod"], [], "spec.only[0]: there is no task 'lod'; did you mean load?"),
        ([], ["load", "x"], "spec.until[1]: there is no task 'x'"),
        (["load"], ["load"], "spec.until: only and until exclude each other; write one of them"),
    ],
)
def test_mistakes_are_told(only: list[str], until: list[str], words: str) -> None:
    assert any(words in str(problem) for problem in selection_problems(defined(CHAIN), only, until))


@pytest.mark.parametrize(
    ("only", "words"),
    [
        (["ship"], ["approval ask is needed before what this run does"]),
        (["ask", "ship"], ["approval ask is about load, which this run leaves out"]),
        (["load"], []),
        (["load", "ask", "ship"], []),
    ],
)
def test_no_approval_is_bypassed(only: list[str], words: list[str]) -> None:
    tasks: dict[str, Any] = {
        "load": {},
        "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}},
        "ship": {"dependsOn": ["ask"]},
    }
    assert [problem.what for problem in bypassed(defined(tasks), only, [], ["ask"])] == words


@pytest.mark.parametrize(
    ("on_exit", "until", "words"),
    [
        (
            "Succeeded",
            ["load"],
            ["exit task bye runs after a success, which needs approval ask, and this run leaves that out"],
        ),
        ("Succeeded", ["ask"], []),
        ("Always", ["load"], []),
        ("Failed", ["load"], []),
    ],
)
def test_no_exit_task_after_a_success_runs_without_an_approval(
    on_exit: str, until: list[str], words: list[str]
) -> None:
    tasks: dict[str, Any] = {
        "load": {},
        "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}},
        "bye": {"onExit": [on_exit]},
    }
    assert [problem.what for problem in bypassed(defined(tasks), [], until, ["ask"])] == words


@pytest.mark.parametrize(
    "later", [{"onExit": ["Always"], "when": "tasks.ask.outputs.approved"}, {"teardown": {"of": ["load"]}}]
)
def test_what_an_exit_task_or_a_teardown_may_read_is_not_marked_without_an_approval(later: dict[str, Any]) -> None:
    tasks: dict[str, Any] = {
        "load": {},
        "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}},
        "ship": {"dependsOn": ["ask"]},
        "last": later,
    }
    planner = Planner(defined(tasks), RunFacts(until=("load",)))
    for task in ("load", "ask", "ship"):
        assert rework(planner, [Edit(action="Succeed", tasks=[task])])[1], task


def test_what_was_left_out_is_not_reused_as_done() -> None:
    planner = played(only=("load",)).planner
    taken = taken_over(planner, planner.definition, Reuse(run="r"), RunFacts())
    assert [item.key for item in taken] == ["load"]


def test_outputs_may_be_given_before_an_approval_that_the_run_leaves_out() -> None:
    tasks: dict[str, Any] = {"load": {}, "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}}}
    edit = Edit(action="Succeed", tasks=["load"])
    refused = rework(Planner(defined(tasks), RunFacts()), [edit])
    assert [problem.what for problem in refused[1]] == ["approval ask is about what load really does"]
    tasks["sum"] = {"dependsOn": ["load"]}
    assert rework(Planner(defined(tasks), RunFacts(only=("sum",))), [edit])[1] == []


def test_outputs_before_an_approval_whose_decision_is_reused_may_not_be_given() -> None:
    tasks: dict[str, Any] = {
        "load": {},
        "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}},
        "ship": {"dependsOn": ["ask"]},
    }
    planner = Planner(defined(tasks), RunFacts(only=("ship",)))
    problems = rework(planner, [Edit(action="Succeed", tasks=["load"])])[1]
    assert [problem.what for problem in problems] == ["approval ask is about what load really does"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": 5}, ""),
        ({"rows": "abc"}, "spec.edits[0].outputs.up.rows: output 'rows': 'abc' is not an integer"),
        ({"rws": 5}, "spec.edits[0].outputs.up.rws: there is no output 'rws' of task up; did you mean rows?"),
    ],
)
def test_outputs_given_for_a_task_that_is_left_out_fit_and_only_those_used_are_needed(
    given: dict[str, Any], words: str
) -> None:
    up = {"outputs": {"rows": {"type": "integer"}, "size": {"type": "integer"}}}
    definition = defined({**CHAIN, "up": up})
    edit = Edit(action="Succeed", tasks=["up"], outputs={"up": given})
    problems = [*unfit_at_start(definition, [edit], select(definition, ["load"]).left_out)]
    assert str(problems[0]).startswith(words) if words else not problems
    assert rework(Planner(definition, RunFacts(only=("load",))), [edit])[1] == problems


def test_outputs_given_for_a_task_that_is_not_there_are_refused() -> None:
    edit = Edit(action="Succeed", tasks=["upp"], outputs={"upp": {"rows": 5}})
    problems = [str(problem) for problem in unfit_at_start(defined(CHAIN), [edit], ())]
    assert len(problems) == 1
    assert problems[0].startswith("spec.edits[0].tasks[0]: there is no task 'upp'; did you mean up?")


def test_an_output_that_is_missing_since_its_task_is_left_out_is_told_so() -> None:
    up = {"outputs": {"rows": {"type": "integer"}}}
    load = {"dependsOn": ["up"], "when": "tasks.up.outputs.rows > 0"}
    planner = Planner(defined({"up": up, "load": load}), RunFacts(only=("load",)))
    planner.decide(0.0)
    assert "this run leaves up out; give it by `--given up.rows=VALUE`" in planner.ledger.units["load"].why


@pytest.mark.parametrize(("partial", "left"), [(False, ({"n": 1}, {"cursor": 1})), (True, ({}, {}))])
def test_a_run_of_some_tasks_has_no_results_and_leaves_nothing(partial: bool, left: tuple[Any, Any]) -> None:
    tasks = {"a": {"compute": {"n": "1"}}, "b": {"dependsOn": ["a"], "compute": {"n": "2"}}}
    keep = {"cursor": {"type": "integer", "initial": 0, "value": "tasks.a.outputs.n"}}
    definition = defined(tasks, outputs={"n": "tasks.a.outputs.n"}, keep=keep)
    planner = Planner(definition, RunFacts(until=("a",) if partial else (), partial=partial), podless=frozenset("ab"))
    for name in ("a",) if partial else ("a", "b"):
        planner.tell_outputs(name, {"n": 1})
        planner.tell_ended(name, [Attempt(name, 1, 0, 0)], 0.0)
    plan = planner.decide(1.0)
    assert plan.phase == "Succeeded" and (dict(plan.results), dict(plan.kept)) == left
