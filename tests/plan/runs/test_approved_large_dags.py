"""The effect of edits and reused runs on approvals is found in walks over the whole DAG: with the same result as
approval by approval, and with pauses for other work."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.run import Edit, Reuse
from tradewind.plan import pacing
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.approved import Approvals, decided, same
from tradewind.plan.runs.approved import given as is_given
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import rework, taken_over

from plan.game import Game, defined
from plan.runs.test_approved_properties import dags


class Counting:
    """Counts the pauses."""

    spent = False

    def __init__(self) -> None:
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def evaluate(self, asked: pacing.Evaluation) -> Any:
        raise AssertionError(asked.expression)


@st.composite
def played(draw: st.DrawFn) -> Game:
    """A run that someone has edited for a while."""
    game = draw(dags())
    for _ in range(draw(st.integers(0, 8))):
        plan = game.plan()
        for start in [*plan.starts, *plan.podless][: draw(st.integers(1, 3))]:
            game.start(start)
            asks = game.definition.tasks[start.task].approval is not None
            fate = draw(st.sampled_from(["", "", "", "Declined" if asks else "Error"]))
            game.end(start.key, fate, {"approved": draw(st.sampled_from([True, True, False]))})
    game.plan()
    return game


@given(dags())
def test_a_task_is_sealed_by_the_first_approval_after_it(game: Game) -> None:
    approvals = Approvals(game.definition)
    expected: dict[str, str] = {}
    for name in approvals.asking:
        expected |= dict.fromkeys(approvals.before(name) - expected.keys(), name) | {name: name}
    assert approvals.sealed == expected


@settings(deadline=None)
@given(played(), st.data())
def test_the_first_open_approval_is_found(game: Game, data: st.DataObject) -> None:
    planner, approvals = game.planner, Approvals(game.definition)
    undone = data.draw(st.sets(st.sampled_from([*planner.ledger.states, *planner.ledger.units]), max_size=2))
    again = {parse_key(key)[0] for key in undone}
    pending = approvals.open(planner) | approvals.anew(undone)
    for task in planner.ledger.states:
        counts = {
            name: (is_given(planner, name) or planner.ledger.states[name] is State.SKIPPED)
            and again.isdisjoint({name, *approvals.before(name)})
            for name in approvals.asking
        }
        expected = [name for name in approvals.asking if name in approvals.before(task) and not counts[name]]
        assert approvals.first(task, pending) == next(iter(expected), None)


@settings(deadline=None)
@given(played(), st.data())
def test_what_is_cleared_is_asked_for_again(game: Game, data: st.DataObject) -> None:
    planner, approvals = game.planner, Approvals(game.definition)
    edit = Edit(
        action="Clear", tasks=data.draw(st.lists(st.sampled_from([*planner.ledger.states]), min_size=1, max_size=3))
    )
    again = {parse_key(change.key)[0] for change in rework(planner, [edit])[0]}
    ran = {name for name in approvals.asking if any(unit.ended for unit in planner.ledger.members(name))}
    assert {name for name in ran if not approvals.before(name).isdisjoint(again)} <= again


def _left(planner: Planner, rerun: list[str], unchanged: bool) -> set[str]:
    """The reused tasks, found approval by approval."""
    definition, approvals = planner.definition, Approvals(planner.definition)
    skipped = {name for name, state in planner.ledger.states.items() if state is State.SKIPPED}
    skipped -= {*rerun, *approvals.after(*rerun)}
    done = {name for name, state in planner.ledger.states.items() if state is State.SUCCEEDED}
    done -= {*rerun, *approvals.after(*rerun)}
    while True:
        before = len(done)
        for name, task in definition.tasks.items():
            if task.teardown and not {name, *definition.graph.upstream[name]} <= done:
                done -= {name, *task.teardown.of}
        for name in approvals.asking:
            anew = not unchanged or approvals.before(name) - done - skipped
            if anew or not (name in skipped or (name in done and decided(planner, name))):
                done -= {name, *approvals.after(name)}
        if len(done) == before:
            return done


@settings(deadline=None, max_examples=300)
@given(played(), st.data(), st.booleans())
def test_what_is_taken_over_is_what_no_approval_stands_before(game: Game, data: st.DataObject, unchanged: bool) -> None:
    rerun = data.draw(st.lists(st.sampled_from([*game.planner.ledger.states]), max_size=2))
    run = game.planner.ledger.run if unchanged else replace(game.planner.ledger.run, params={"other": 1})
    taken = taken_over(game.planner, game.definition, Reuse(run="r", rerun=rerun), run)
    assert {parse_key(item.key)[0] for item in taken} == _left(game.planner, rerun, unchanged)


SIZE = 400


def _large(approval: bool) -> Game:
    names = [f"t{at:03}" for at in range(SIZE)]
    tasks: dict[str, Any] = {
        name: {"dependsOn": names[max(0, at - 5) : at], **({"approval": {}} if approval or not at else {})}
        for at, name in enumerate(names)
    }
    game = Game(defined(tasks))
    game.plan()
    return game


@pytest.mark.parametrize("approval", [True, False])
def test_marks_in_large_dags_pause(approval: bool) -> None:
    """At each task and each edit, and no walk is repeated for each task or approval."""
    game, last = _large(approval), [f"t{at:03}" for at in range(SIZE - 50, SIZE)]
    few, many = Counting(), Counting()
    with pacing.at(few):
        rework(game.planner, [Edit(action="Skip", tasks=last[:1])])
    with pacing.at(many):
        _, problems = rework(game.planner, [Edit(action="Skip", tasks=last, reason=str(at)) for at in range(20)])
    assert len(problems) == 20 * 50
    assert few.pauses >= SIZE
    assert 20 * 50 <= many.pauses <= few.pauses + 20 * 50 * 10


@pytest.mark.parametrize("approval", [True, False])
def test_clearing_large_runs_pauses(approval: bool) -> None:
    game, pauses = _large(approval), Counting()
    game.play(outputs=lambda _: {"approved": True})
    with pacing.at(pauses):
        changes, problems = rework(
            game.planner, [Edit(action="Clear", tasks=["t000"], reason=str(at)) for at in range(20)]
        )
    assert len(changes) == SIZE and not problems
    assert 20 * SIZE <= pauses.pauses <= 20 * SIZE * 10


def test_whether_large_dags_are_the_same_is_found_with_pauses() -> None:
    one, other, pauses = _large(False), _large(False), Counting()
    with pacing.at(pauses):
        assert same(one.planner, other.definition, one.planner.ledger.run)
    assert pauses.pauses >= SIZE
    assert not same(one.planner, _large(True).definition, one.planner.ledger.run)


def test_taking_over_from_large_runs_pauses_but_walks_once() -> None:
    game, pauses = _large(True), Counting()
    with pacing.at(pauses):
        assert taken_over(game.planner, game.definition, Reuse(run="r"), game.planner.ledger.run) == []
    assert SIZE <= pauses.pauses <= 20 * SIZE
