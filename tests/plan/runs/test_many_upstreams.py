"""A task that depends on as many others as it may."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.base import MAX_DEPENDENCIES
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions import cel_rule
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs import gate

from plan.game import Game, defined

RANK = (State.FAILED, State.LOST, State.UPSTREAM_FAILED, State.SKIPPED, State.SUCCEEDED, State.CANCELLED)


def joined(number: int, **task: Any) -> Game:
    """Tasks, and one that depends on all of them."""
    tasks = {f"t{at}": {"compute": {"x": "1"}, "image": ""} for at in range(number)}
    return Game(defined({**tasks, "z": {"dependsOn": [*tasks], **task}}))


@pytest.mark.parametrize(("fails", "state"), [("", "Succeeded"), ("t7", "UpstreamFailed")])
def test_it_runs_when_all_of_them_have_ended(fails: str, state: str) -> None:
    game = joined(MAX_DEPENDENCIES)
    game.play(lambda key, number: "Error" if key == fails else "")
    assert game.states()["z"] == state and len(game.started) == MAX_DEPENDENCIES + (not fails)
    if fails:
        why = "trigger rule AllSucceeded: t7 Failed, t0 Succeeded, t1 Succeeded and 997 more"
        assert game.planner.ledger.units["z"].why == why


def test_one_more_is_refused_with_the_way_to_join_them() -> None:
    with pytest.raises(Invalid) as refused:
        joined(MAX_DEPENDENCIES + 1)
    words = "1001 entries; use at most 1000, and depend on tasks that join others, such as {dependsOn: [...], compute"
    assert f"spec.tasks.z.dependsOn: {words}" in str(refused.value)


def test_a_wrong_rule_names_some_of_them() -> None:
    with pytest.raises(Invalid) as refused:
        joined(MAX_DEPENDENCIES, triggerRule="Failed(other)")
    assert " and 950 more" in str(refused.value) and len(str(refused.value)) < 2_000


@given(st.dictionaries(st.sampled_from([f"t{at}" for at in range(12)]), st.sampled_from(sorted(FINAL))))
def test_a_reason_names_the_first_of_the_worst(ended: dict[str, State]) -> None:
    ranked = sorted(ended.items(), key=lambda item: (RANK.index(item[1]), item[0]))
    shown = ", ".join(f"{name} {state}" for name, state in ranked[: gate.SHOWN])
    assert gate._shown(ended) == shown + (f" and {len(ended) - gate.SHOWN} more" if len(ended) > gate.SHOWN else "")


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trigger rules in CEL that were evaluated."""
    found: list[str] = []
    decide = cel_rule.decide

    def counted(rule: str, *given: Any) -> Any:
        found.append(rule)
        return decide(rule, *given)

    monkeypatch.setattr(cel_rule, "decide", counted)
    return found


def chained(**task: Any) -> Game:
    """A fan-out of a thousand items that all depend on their counterpart and on several tasks, by a rule in CEL."""
    tasks = {**{f"t{at}": {} for at in range(20)}, "x": {"forEach": {"range": {"stop": 1_000}}}}
    above, items = [*tasks], {"forEach": {"itemsOf": "x"}}
    game = Game(defined({**tasks, "y": {"dependsOn": above, **items, **task}}))
    while starts := game.plan().starts:
        for start in starts:
            game.start(start)
    return game


def test_a_rule_in_cel_is_asked_once_for_all_items_when_a_task_before_them_ends(evaluations: list[str]) -> None:
    game = chained(triggerRule="Succeeded(x) && (Failed(t0) || Failed(t1)) && Done(t2)")
    for at in range(300):
        game.end(f"x[{at}]", "" if at % 2 else "Error")
    game.plan()
    evaluations.clear()
    for name in ("t5", "t0", "t2"):
        game.end(name, "Error")
        game.plan()
    assert 0 < len(evaluations) <= 9
    states = [game.states()[f"y[{at}]"] for at in (0, 1, 300)]
    assert states == ["UpstreamFailed", "Ready", "Blocked"]
    game.end("x[300]")
    game.plan()
    assert game.states()["y[300]"] == "Ready"


def test_a_rule_that_takes_long_is_not_evaluated_for_a_run_that_is_terminated() -> None:
    """Its items are cancelled, and what runs is stopped, whatever the rule costs."""
    rule = "[" + ", ".join(["Succeeded(x)"] * 60) + "].all(a, [" + ", ".join(["Failed(t0)"] * 60) + "].all(b, a || b))"
    game = chained(triggerRule=rule)
    game.end("x[0]")
    game.plan()
    game.terminated = game.cancelled = True
    refused: list[str] = []

    class Pace(pacing.Pace):
        spent = False

        def pause(self) -> None:
            pass

        def evaluate(self, evaluation: pacing.Evaluation) -> Any:
            refused.append(evaluation.expression)
            raise ExpressionError(evaluation.expression, "takes too long")

    with pacing.at(Pace()):
        game.planner.cancel(terminate=True)
        plan = game.plan()
    assert not refused and len(plan.stops) == 1_019
    assert game.states()["y[0]"] == "Cancelled"
