"""A pass that has used up its time stops between two tasks, and the next one continues there."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.plan import pacing
from tradewind.plan.cel import evaluation
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.outcomes.attempt import CANCELLED

from plan.game import Game, defined
from plan.runs.test_planner_properties import FATES, games, said

HEAVY = "params.l.all(x, params.text.size() > x)"


class Short:
    """Is spent now and then."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def pause(self) -> None:
        pass

    @property
    def spent(self) -> bool:
        return self._random.random() < 0.3

    def evaluate(self, asked: pacing.Evaluation) -> Any:
        raise ExpressionError(asked.expression, "takes too long")


@settings(max_examples=150, deadline=None)
@given(games(), st.data(), st.integers(0, 2**32))
def test_a_pass_that_is_cut_short_goes_on_where_it_was(game: Game, data: st.DataObject, seed: int) -> None:
    cut = game.anew()
    for _ in range(6):
        plan = game.plan()
        with pacing.at(Short(seed)):
            found = cut.decide(game.now)
            while found.unsettled:
                assert found.phase == "Running", "it may not end while something is left"
                found = cut.decide(game.now)
        assert said(found, cut) == said(plan, game.planner)
        for start in plan.starts[: plan.room]:
            game.start(start)
            cut.tell_live(start.key, game.live[start.key])
        for key in sorted(game.live)[: data.draw(st.integers(0, 2))]:
            game.end(key, data.draw(st.sampled_from(FATES)), {"n": 1})
            if key in game.outputs:
                cut.tell_outputs(key, game.outputs[key])
            cut.tell_ended(key, game.counting(key), game.seen[key])
            cut.tell_live(key, None)


@pytest.mark.parametrize("fan_out", [False, True])
def test_what_is_cancelled_looks_at_no_long_expression(fan_out: bool) -> None:
    """Otherwise it would take long to terminate ten thousand of them."""
    task = {"forEach": {"items": f"$[[ [{HEAVY}] ]]"}} if fan_out else {"when": HEAVY}
    params = {"l": {"type": "list"}, "text": {"type": "string"}}
    values = {"l": list(range(100)), "text": "x" * 400_000}
    game = Game(defined({f"t{at}": dict(task) for at in range(5)}, params=params), values)
    game.cancelled = True
    game.planner = game.anew()
    looked: list[str] = []
    with pytest.MonkeyPatch.context() as patch, pacing.at(Short(0)):
        patch.setattr(Short, "spent", False)
        patch.setattr(Short, "evaluate", lambda _, asked: looked.append(asked.expression))
        patch.setattr(evaluation, "in_place", lambda program, given: looked.append(program.expression))
        plan = game.plan()
    assert plan.phase == "Cancelled" and not looked
    assert {str(state) for state in game.planner.ledger.states.values()} == {CANCELLED}
