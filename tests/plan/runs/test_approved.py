"""Users who may edit runs, or create runs that reuse results, can't bypass an approval: only its own decision ends one,
and it is about the results before it."""

from dataclasses import replace
from typing import Any

import pytest
from tradewind.model.run import Edit, Reuse
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import Fixed
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.approved import same
from tradewind.plan.runs.decision import RunFacts, Start
from tradewind.plan.runs.rework import rework, taken_over

from plan.game import Game, defined

# `gate` stands between the approval and what it guards.
TASKS = {
    "check": {"outputs": {"risky": {"type": "boolean"}}},
    "ok": {"dependsOn": ["check"], "approval": {"onReject": "Continue"}},
    "gate": {"dependsOn": ["ok"], "compute": {"n": "1"}},
    "deploy": {"dependsOn": ["gate"]},
    "after": {"dependsOn": ["deploy"]},
    "beside": {},
}
YES, NO = {"approved": True}, {"approved": False}


def edit(action: str, *tasks: str, **more: Any) -> Edit:
    return Edit.model_validate({"action": action, "tasks": list(tasks), **more})


def until(*stopping: str, decision: Any = YES, tasks: Any = TASKS, failing: str = "", **params: Any) -> Game:
    """A run that has stopped before some tasks, which have not begun."""
    game = Game(defined(tasks, params={name: {} for name in params}), params=params)
    outputs = {"ok": decision, "check": {"risky": False}}
    while starts := [start for start in waiting(game) if start.task not in stopping]:
        for start in starts:
            game.start(start)
            game.end(start.key, "Declined" if start.task == failing else "", outputs.get(start.task, {}))
    return game


def waiting(game: Game) -> list[Start]:
    plan = game.plan()
    return [*plan.starts, *plan.podless]


def problems(game: Game, *edits: Edit, within: tuple[str, ...] = ()) -> list[str]:
    changes, found = rework(game.planner, edits, within=within)
    assert bool(found) or changes
    return [str(problem) for problem in found]


MARKS = ["Succeed", "Skip", "Fail"]


@pytest.mark.parametrize("action", MARKS)
@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("ok", "ok is an approval: only a decision ends it; use `tradewind approve` or `tradewind reject`"),
        ("check", "approval ok is about what check really does; use `tradewind clear`"),
        ("gate", "gate waits for approval ok, which was not given; use `tradewind approve`"),
        ("deploy", "deploy waits for approval ok, which was not given"),
    ],
)
def test_no_mark_passes_an_approval(action: str, task: str, words: str) -> None:
    [problem] = problems(until("ok"), edit(action, task, outputs={task: YES} if action == "Succeed" else {}))
    assert problem.startswith(f"spec.edits[0].tasks[0]: {words}")


def test_marks_that_pass_nothing_are_made() -> None:
    assert problems(until("ok"), edit("Succeed", "beside")) == []
    assert problems(until("deploy"), edit("Succeed", "deploy")) == [], "it was approved"


@pytest.mark.parametrize("action", MARKS)
def test_a_rejection_is_not_passed_either(action: str) -> None:
    assert problems(until("gate", decision=NO), edit(action, "deploy"))
    assert problems(until("x", failing="ok"), edit(action, "gate"))


@pytest.mark.parametrize("action", MARKS)
def test_a_rejection_that_ends_as_skipped_is_none(action: str) -> None:
    """skipOn of an approval says how its run continues, not that it was given."""
    tasks = {**TASKS, "ok": {**TASKS["ok"], "skipOn": "reason == 'Declined'"}}
    game = until("ok", tasks=tasks)
    game.start(next(start for start in waiting(game) if start.key == "ok"))
    game.end("ok", "SkippedItself")
    assert game.plan().phase != "Running" and game.states()["ok"] == "Skipped"
    assert problems(game, edit(action, "deploy"))
    assert taken(game) == {"check", "beside"}


@pytest.mark.parametrize("asks", [{"approval": {}}, {"dag": {"name": "other"}}], ids=["approval", "sub-DAG"])
def test_an_item_of_which_the_rejection_ends_as_skipped_is_none(asks: Any) -> None:
    """The fan-out succeeds with its other items, but not all of them were approved."""
    items = {"forEach": {"range": {"stop": 3}}, "skipOn": "reason in ['Declined', 'SubDAGFailed']", "when": "index > 0"}
    tasks = {**TASKS, "ok": {"dependsOn": ["check"], **asks, **items}}
    game, within = until("ok", "gate", tasks=tasks), ("other",) if "dag" in asks else ()
    for start in [start for start in waiting(game) if start.task == "ok"]:
        game.start(start)
        game.end(start.key, "SkippedItself" if start.index == 2 else "", {} if start.index == 2 else YES)
    game.plan()
    assert game.states()["ok"] == "Succeeded"
    assert [game.states()[f"ok[{at}]"] for at in range(3)] == ["Skipped", "Succeeded", "Skipped"]
    assert problems(game, edit("Succeed", "deploy"), within=within)
    assert taken(game, within=within) == {"check", "beside"}


def test_items_of_an_approval_are_decided_one_by_one() -> None:
    tasks = {**TASKS, "ok": {**TASKS["ok"], "forEach": {"range": {"stop": 2}}}}
    game = until("ok", tasks=tasks)
    assert problems(game, edit("Succeed", "ok[1]")) and problems(game, edit("Skip", "ok"))
    game.start(next(start for start in waiting(game) if start.key == "ok[0]"))
    game.end("ok[0]", "", YES)
    assert problems(game, edit("Succeed", "gate")), "the other one is open"


def test_edits_made_together_pass_nothing_either() -> None:
    """The first undoes the decision, the second relies on it."""
    game = until("deploy")
    assert problems(game, edit("Clear", "check"), edit("Succeed", "deploy"))
    tasks = {
        **TASKS,
        "ok": {**TASKS["ok"], "when": "tasks.check.outputs.risky"},
        "gate": {**TASKS["gate"], "triggerRule": "AllDone"},
    }
    skipped = until("gate", tasks=tasks)
    assert skipped.states()["ok"] == "Skipped" and problems(skipped, edit("Succeed", "gate")) == []
    assert problems(skipped, edit("Clear", "check"), edit("Succeed", "gate"))


@pytest.mark.parametrize("task", ["check", "ok"])
def test_what_was_approved_does_not_run_again_alone(task: str) -> None:
    game = until("x")
    [problem] = problems(game, edit("Clear", task, downstream=False))
    assert "does not run again alone; clear what depends on it too" in problem
    assert problems(game, edit("Clear", "gate", downstream=False)) == []
    game.change(rework(game.planner, [edit("Clear", task)])[0])
    game.started = []
    game.play()
    assert {key for key, _ in game.started} >= {"ok", "gate", "deploy"}


def test_a_retry_of_what_was_approved_asks_again() -> None:
    tasks = {
        "build": {"allowFailure": True},
        "ok": {"dependsOn": ["build"], "triggerRule": "AllDone", "approval": {}},
        "deploy": {"dependsOn": ["ok"]},
    }
    game = Game(defined(tasks))
    game.play(lambda key, _: "Error" if key == "build" else "", lambda _: YES)
    game.retry()
    game.play(outputs=lambda _: YES)
    assert [key for key, _ in game.started] == ["build", "ok", "deploy"]


def test_a_setup_that_is_made_again_is_approved_again() -> None:
    tasks = {
        "make": {},
        "ok": {"dependsOn": ["make"], "approval": {}},
        "deploy": {"dependsOn": ["ok"]},
        "work": {"dependsOn": ["make"]},
        "remove": {"teardown": {"of": ["make"]}},
    }
    game = Game(defined(tasks))
    game.play(outputs=lambda _: YES)
    game.started = []
    game.change(rework(game.planner, [edit("Clear", "work")])[0])
    game.play(outputs=lambda _: YES)
    assert {key for key, _ in game.started} == {"make", "ok", "deploy", "work", "remove"}


def test_a_task_whose_own_run_asks_is_an_approval_too() -> None:
    tasks = {
        "release": {"dag": {"name": "release"}},
        "other": {"dag": {"name": "other"}},
        "then": {"dependsOn": ["release"]},
    }
    game = Game(defined(tasks))
    assert problems(game, edit("Succeed", "release"), within=("release",)) == [
        "spec.edits[0].tasks[0]: release runs DAG release, which has approvals: only a decision ends it;"
        " use `tradewind approve` or `tradewind reject`"
    ]
    assert problems(game, edit("Succeed", "then"), within=("release",))
    assert problems(game, edit("Succeed", "other"), within=("release",)) == []


def taken(
    other: Game,
    definition: Any = None,
    within: tuple[str, ...] = (),
    facts: Any = None,
    same_calls: bool = True,
    **reuse: Any,
) -> set[str]:
    made = Reuse.model_validate({"run": "r", **reuse})
    definition = definition or other.definition
    run = replace(other.planner.ledger.run, **facts or {})
    found = taken_over(other.planner, definition, made, run, within, same_calls)
    return {item.key for item in found if item.state is State.SUCCEEDED}


def test_a_decision_is_taken_over_with_what_it_was_about() -> None:
    other = until("deploy")
    assert taken(other) == {"check", "ok", "gate", "beside"}
    assert taken(other, only=["deploy"]) == {"check", "ok", "gate", "beside"}
    assert taken(other, rerun=["gate"]) == {"check", "ok", "beside"}
    assert taken(other, rerun=["check"]) == {"beside"}


def test_a_decision_about_something_else_is_none() -> None:
    other = until("after", version="1")
    assert taken(other) == {"check", "ok", "gate", "deploy", "beside"}
    assert taken(other, facts={"params": {"version": "2"}}) == {"check", "beside"}
    changed = defined({**TASKS, "deploy": {"dependsOn": ["gate"], "image": "another"}}, params={"version": {}})
    assert taken(other, changed) == {"check", "beside"}
    with pytest.raises(
        Invalid, match="approval ok is needed, and was not given to run r for the same DAG, sub-DAGs, params and dates"
    ):
        taken(other, changed, only=["deploy"])


@pytest.mark.parametrize("date", ["logical_date", "interval_start", "interval_end"])
def test_a_decision_about_another_date_is_none(date: str) -> None:
    other = until("after")
    assert taken(other, facts={date: "2026-12-24T00:00:00Z"}) == {"check", "beside"}
    with pytest.raises(Invalid, match="approval ok is needed"):
        taken(other, facts={date: "2026-12-24T00:00:00Z"}, only=["deploy"])


@pytest.mark.parametrize("root", ["config.target", "kept.cursor", "run.previous.outputs"])
def test_a_decision_about_other_values_of_earlier_runs_or_config_maps_is_none(root: str) -> None:
    """Users who may create runs may often change ConfigMaps, too."""
    other = until("after")
    assert taken(other, facts={"bound": {root: {"env": "prod"}}}) == {"check", "beside"}
    with pytest.raises(Invalid, match="approval ok is needed"):
        taken(other, facts={"bound": {root: {"env": "prod"}}}, only=["deploy"])


@pytest.mark.parametrize("value", [False, 0.5, "0"])
def test_a_decision_about_a_like_value_is_none(value: Any) -> None:
    """To Python, false and 0 are equal; to a person who reads the question, they are not."""
    other = until("after", mode={"force": 0})
    assert taken(other, facts={"params": {"mode": {"force": value}}}) == {"check", "beside"}
    changed = defined(TASKS, params={"mode": {"type": "object", "default": {"force": value}}})
    like = defined(TASKS, params={"mode": {"type": "object", "default": {"force": 0}}})
    assert not same(Game(like).planner, changed, Game(like).planner.ledger.run)


@pytest.mark.parametrize("decision", [YES, NO])
def test_a_forged_decision_is_never_taken_over(decision: Any) -> None:
    """Such as a mark by an older operator."""
    other = until("ok")
    other.outputs["ok"] = YES
    other.change(
        [Fixed("ok", State.SUCCEEDED, "marked by hand by mallory: decided in run r"), *_marks("gate", "deploy")]
    )
    other.plan()
    assert taken(other) == {"check", "beside"}
    with pytest.raises(Invalid):
        taken(other, only=["after"])


def _marks(*tasks: str) -> list[Fixed]:
    return [Fixed(task, State.SUCCEEDED, "marked by hand by mallory") for task in tasks]


def test_a_mark_that_an_approval_would_be_about_is_not_taken_over() -> None:
    """It was made in a run that asked for no approval: of another revision, or of some tasks only."""
    tasks = {"before": {}, "check": {"dependsOn": ["before"]}, "beside": {}}
    other = Game(defined(tasks))
    other.change(_marks("check", "beside"))
    other.play()
    assert taken(other) == {"before", "check", "beside"}
    asking = defined({**tasks, "ok": {"dependsOn": ["check"], "approval": {}}})
    assert taken(other, asking) == {"before", "beside"}
    later = Game(other.definition)
    later.change(taken_over(other.planner, other.definition, Reuse(run="r"), RunFacts()))
    later.play()
    assert taken(later) == {"before", "check", "beside"} and taken(later, asking) == {"before", "beside"}


def test_a_real_decision_goes_on_from_run_to_run() -> None:
    other = until("deploy")
    for run in ("r", "s"):
        fixed = taken_over(other.planner, other.definition, Reuse(run=run), other.planner.ledger.run)
        assert {item.key: item.why for item in fixed}["ok"] == "decided in run r"
        other = Game(other.definition, outputs={"ok": YES, "check": {"risky": False}})
        other.change(fixed)
        other.plan()


@pytest.mark.parametrize(
    ("stopping", "decision", "only", "words"),
    [
        ("ok", YES, ["deploy"], "approval ok is needed, and was not given"),
        ("gate", NO, ["deploy"], "approval ok is needed, and was not given"),
        ("deploy", YES, ["check", "deploy"], "approval ok is needed"),
        ("deploy", YES, ["ok", "deploy"], "gate is upstream or downstream of approval ok, which must be given again"),
        ("check", YES, ["ok"], "check is upstream or downstream of approval ok"),
    ],
)
def test_what_is_left_out_passes_no_approval(stopping: str, decision: Any, only: list[str], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        taken(until(stopping, decision=decision), only=only)


def test_an_approval_can_be_asked_again_with_all_that_it_decides() -> None:
    assert taken(until("deploy"), only=["ok", "gate", "deploy"]) == {"check", "beside"}


def test_what_was_skipped_with_its_approval_is_left_as_it_was() -> None:
    tasks = {
        **TASKS,
        "ok": {**TASKS["ok"], "when": "tasks.check.outputs.risky"},
        "gate": {**TASKS["gate"], "triggerRule": "AllDone"},
    }
    other = until("after", tasks=tasks)
    assert other.states()["ok"] == "Skipped"
    assert taken(other) == {"check", "gate", "deploy", "beside"}
    assert taken(other, rerun=["check"]) == {"beside"}
    with pytest.raises(Invalid):
        taken(other, only=["deploy"])


def test_a_run_that_asks_is_taken_over_like_a_decision() -> None:
    tasks = {"release": {"dag": {"name": "release"}}, "then": {"dependsOn": ["release"]}}
    other = Game(defined(tasks))
    other.play(lambda key, _: "Error" if key == "then" else "")
    assert taken(other, within=("release",)) == {"release"}
    forged = Game(defined(tasks))
    forged.change(_marks("release"))
    forged.play()
    assert taken(forged, within=("release",)) == set() and taken(forged) == {"release", "then"}


def test_a_run_that_asked_by_another_revision_is_no_decision() -> None:
    """It may have succeeded because its DAG had no approval then."""
    tasks = {"ok": {"approval": {}}, "release": {"dag": {"name": "release"}}, "then": {"dependsOn": ["release"]}}
    other = Game(defined(tasks), outputs={"ok": YES})
    other.play()
    assert taken(other, within=("release",)) == {"ok", "release", "then"}
    assert taken(other, within=("release",), same_calls=False) == set()
    with pytest.raises(Invalid, match="approval release is needed"):
        taken(other, within=("release",), same_calls=False, only=["then"])
