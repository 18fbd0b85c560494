"""A task that depends on as many others as it may."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.base import MAX_DEPENDENCIES
from tradewind.plan.documents.problem import Invalid
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
