"""Whatever edits and retries are made, in whatever order: tasks after an approval start only once it was given, and it
was given after everything before it had ended."""

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tradewind.model.run import Edit
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.runs.approved import Approvals
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.rework import rework

from plan.game import Game, defined


@st.composite
def dags(draw: st.DrawFn) -> Game:
    """Tasks in a row of layers, some of which are approvals, fan-outs, setups or allowed to fail."""
    names = [f"t{at}" for at in range(draw(st.integers(3, 6)))]
    tasks: dict[str, dict[str, Any]] = {}
    guarded = set[str]()
    for at, name in enumerate(names):
        above = draw(st.sets(st.sampled_from(names[:at]), max_size=2)) if at else set()
        task: dict[str, Any] = {"dependsOn": sorted(above)}
        if draw(st.integers(0, 2)) == 0:
            task["approval"] = {}
        else:
            task["allowFailure"] = draw(st.booleans())
        if guarded.isdisjoint(above):  # others would continue whatever was decided, as their DAG says
            task["triggerRule"] = draw(st.sampled_from(["AllSucceeded", "AllDone"]))
        if "approval" in task or not guarded.isdisjoint(above):
            guarded.add(name)
        if draw(st.integers(0, 3)) == 0:
            task["forEach"] = {"range": {"stop": 2}}
        tasks[name] = task
    if draw(st.booleans()):
        tasks["down"] = {"teardown": {"of": [draw(st.sampled_from(names))]}}
    return Game(defined(tasks))


class Witness:
    """When tasks ended and approvals were decided, in steps."""

    def __init__(self, game: Game) -> None:
        self.game, self.approvals, self.step = game, Approvals(game.definition), 0
        self.ended: dict[str, int] = {}
        self.given: dict[str, int] = {}

    def starts(self, start: Start) -> None:
        """The approvals before it were given, after everything before them had ended."""
        planner = self.game.planner
        if start.task in self.approvals.asking:
            before = self.approvals.before(start.task)
            assert all(planner.ledger.states[name] in FINAL for name in before), f"{start} is asked too early"
            assert before.isdisjoint(parse_key(key)[0] for key in self.game.live), f"{start}: something still runs"
        if start.task in planner.definition.protected:
            return  # a teardown waits for its setup's users, however they ended
        for name in self.approvals.asking:
            if name not in self.approvals.before(start.task):
                continue
            assert planner.ledger.states[name] is State.SUCCEEDED, (start, name)
            assert not planner.fixed(name) and not any(planner.fixed(unit.key) for unit in planner.ledger.members(name))
            decided = [self.given[unit.key] for unit in planner.ledger.members(name) if unit.state is State.SUCCEEDED]
            before = [at for key, at in self.ended.items() if parse_key(key)[0] in self.approvals.before(name)]
            assert decided and min(decided) >= max(before, default=0), (start, name)


@settings(max_examples=200, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(dags(), st.data())
def test_what_waits_for_an_approval_waits_whatever_somebody_does(game: Game, data: st.DataObject) -> None:
    seen = Witness(game)
    for _ in range(30):
        seen.step += 1
        plan = game.plan()
        starts = [*plan.starts, *plan.podless]
        what = data.draw(st.sampled_from(["start", "start", "end", "end", "end", "edit", "retry"]))
        if what == "start" and starts:
            start = data.draw(st.sampled_from(starts))
            seen.starts(start)
            game.start(start)
        elif what == "end" and game.live:
            key = data.draw(st.sampled_from(sorted(game.live)))
            asks = game.definition.tasks[parse_key(key)[0]].approval is not None
            stopped = next((stop.reason for stop in plan.stops if stop.task == key), "")
            reason = stopped or data.draw(st.sampled_from(["", "", "Declined" if asks else "Error"]))
            game.end(key, reason, {"approved": True})
            seen.ended[key] = seen.step
            if asks and not reason:
                seen.given[key] = seen.step
        elif what == "edit":
            edits = [data.draw(_edits(game)) for _ in range(data.draw(st.integers(1, 3)))]
            game.change(rework(game.planner, edits)[0])
        elif what == "retry":
            game.retry()


def _edits(game: Game) -> st.SearchStrategy[Edit]:
    keys = st.lists(
        st.sampled_from([*game.planner.ledger.states, *game.planner.ledger.units]), min_size=1, max_size=2, unique=True
    )
    return st.builds(
        lambda action, tasks, downstream: Edit(
            action=action, tasks=tasks, downstream=downstream, outputs={key: {"approved": True} for key in tasks}
        ),
        st.sampled_from(["Clear", "Clear", "Succeed", "Skip", "Fail"]),
        keys,
        st.booleans(),
    )


@pytest.mark.parametrize(("decided", "state"), [("", "Succeeded"), ("Declined", "UpstreamFailed")])
def test_a_retry_waits_for_an_approval_that_is_asked_for_again(decided: str, state: str) -> None:
    """It was given before; then the approval was cleared, and the run retried."""
    game = Game(defined({"ok": {"approval": {}}, "a": {"dependsOn": ["ok"]}}))
    for key, reason in (("ok", ""), ("a", "Error")):
        plan = game.plan()
        game.start([*plan.podless, *plan.starts][0])
        game.end(key, reason)
    assert game.plan().phase == "Failed"
    game.change(rework(game.planner, [Edit(action="Clear", tasks=["ok"])])[0])
    game.start(game.plan().podless[0])
    game.retry()
    game.now += 60
    assert not game.plan().starts
    game.end("ok", decided)
    game.play(lambda key, number: decided if key == "ok" else "")
    assert game.states()["a"] == state


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("ended", ["", "Error"])
def test_an_approval_waits_until_all_upstream_of_it_has_run_again(asked: bool, ended: str) -> None:
    """A task in between keeps its result, since its trigger rule did not need what failed."""
    tasks: dict[str, Any] = {
        "a": {},
        "b": {"dependsOn": ["a"], "triggerRule": "AllDone"},
        "ok": {"dependsOn": ["b"], "approval": {}},
        "c": {"dependsOn": ["ok"]},
    }
    game = Game(defined(tasks))
    for key, reason in (("a", "Error"), ("b", "")):
        game.start(game.plan().starts[0])
        game.end(key, reason)
    if asked:
        game.start(game.plan().podless[0])
        game.end("ok", "", {"approved": True})
    game.retry()
    plan = game.plan()
    assert [start.key for start in [*plan.starts, *plan.podless]] == ["a"]
    assert game.planner.ledger.units["ok"].why == "not all upstream of it has ended"
    game.start(plan.starts[0])
    assert not game.plan().podless
    game.end("a", ended)
    assert [start.key for start in game.plan().podless] == ["ok"]


def test_an_approval_waits_for_a_task_that_another_did_not_wait_for() -> None:
    """A failure ends what needs it at once, although other dependencies are running."""
    tasks = {
        "a": {},
        "long": {},
        "b": {"dependsOn": ["a", "long"]},
        "ok": {"dependsOn": ["b"], "triggerRule": "AllDone", "approval": {}},
    }
    game = Game(defined(tasks))
    for start in list(game.plan().starts):
        game.start(start)
    game.end("a", "Error")
    assert not game.plan().podless
    assert game.states()["b"] == "UpstreamFailed"
    game.end("long")
    assert [start.key for start in game.plan().podless] == ["ok"]


def test_thousands_of_approvals_cost_a_visit_of_each_dependency(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = 0

    def count() -> None:
        nonlocal visits
        visits += 1

    game = Game(defined({f"t{at}": {"approval": {}, "dependsOn": [f"t{at - 1}"] if at else []} for at in range(900)}))
    game.retry()
    monkeypatch.setattr("tradewind.plan.pacing.pause", count)
    game.play(outputs=lambda key: {"approved": True})
    assert len(game.started) == 900 <= visits < 20_000


@pytest.mark.parametrize("again", ["", "Error"])
def test_items_that_run_when_their_fan_out_is_decided_again_are_stopped_before_an_approval_is_asked(again: str) -> None:
    tasks: dict[str, Any] = {
        "a": {},
        "f": {"dependsOn": ["a"], "triggerRule": "OneFailed", "forEach": {"range": {"stop": 2}}},
        "ok": {"dependsOn": ["f"], "triggerRule": "AllDone", "approval": {}},
    }
    game = Game(defined(tasks))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    game.start(game.plan().starts[0])
    assert game.live.keys() == {"f[0]"}
    game.retry()
    [start] = [*game.plan().starts, *game.plan().podless]
    assert game.planner.may_have_started("f[0]", 1) and not game.planner.may_have_started("f[1]", 1)
    game.start(start)
    game.end("a", again)
    assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("f[0]", "Superseded")]
    assert not game.plan().podless
    game.end("f[0]", "Superseded")
    plan = game.plan()
    assert ([start.key for start in plan.podless], [start.key for start in plan.starts]) == (
        (["ok"], []) if not again else ([], ["f[0]", "f[1]"])
    )


def test_all_items_of_an_approval_are_asked_again_although_one_is_open() -> None:
    tasks = {
        "a": {},
        "ok": {"dependsOn": ["a"], "triggerRule": "AllDone", "approval": {}, "forEach": {"range": {"stop": 2}}},
        "b": {"dependsOn": ["ok"]},
    }
    game = Game(defined(tasks))
    game.start(game.plan().starts[0])
    game.end("a", "Error")
    for start in list(game.plan().podless):
        game.start(start)
    game.end("ok[0]", "", {"approved": True})
    game.retry()
    assert game.cleared == {"ok[0]": 1, "ok[1]": 1}
    game.start(game.plan().starts[0])
    game.end("a")
    assert [(stop.task, stop.reason) for stop in game.plan().stops] == [("ok[1]", "Superseded")]
    game.end("ok[1]", "Superseded")
    assert [start.key for start in game.plan().podless] == ["ok[0]", "ok[1]"]


def test_an_approval_of_the_first_that_succeeds_does_not_wait_for_others() -> None:
    game = Game(
        defined({"a": {}, "b": {}, "ok": {"dependsOn": ["a", "b"], "triggerRule": "OneSucceeded", "approval": {}}})
    )
    for start in list(game.plan().starts):
        game.start(start)
    game.end("a")
    assert [start.key for start in game.plan().podless] == ["ok"]
