"""Property tests: whatever the DAG, whatever happens to its pods, whenever the operator dies."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.plan.expressions import cel_rule
from tradewind.plan.outcomes.attempt import CANCELLED, FAILURES, LOSSES, Attempt, parse_key
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.outcomes.trigger_rule import RULES, Verdict, count, decide
from tradewind.plan.runs.decision import Plan
from tradewind.plan.runs.planner import Planner

from plan.game import Game, defined

FATES = ["", "", "", "Error", "OutputInvalid", "Evicted", "PodDeleted", "SkippedItself"]
pytestmark = pytest.mark.timeout(1200)
CEL = ["Failed({0}) || Succeeded({1})", "Done({0}) && !Skipped({1})", "Lost({0})"]
SOURCES = [
    {"items": []},
    {"items": ["p"]},
    {"range": {"stop": 3}},
    {"items": "$[[ params.l ]]"},
    {"range": {"stop": "$[[ 1 / 0 ]]"}},
]


@st.composite
def games(draw: st.DrawFn, handled: bool = True) -> Game:
    """A run of a DAG that is acyclic by construction: a task depends on earlier ones only. `handled` DAGs may have a handler."""
    names = [f"t{at}" for at in range(draw(st.integers(1, 7)))]
    tasks: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(names):
        above = sorted(draw(st.sets(st.sampled_from(names[:at]), max_size=3))) if at else []
        task: dict[str, Any] = {
            "dependsOn": above,
            "triggerRule": draw(st.sampled_from([*RULES, "AllSucceeded", "AllDone"])),
        }
        if above and draw(st.integers(0, 5)) == 0:
            task["triggerRule"] = draw(st.sampled_from(CEL)).format(above[0], above[-1])
        if draw(st.integers(0, 4)) == 0:
            task["when"] = draw(st.sampled_from(["false", "true", "params.l.size() == 2", "params.l[9] == 1"]))
        if above and draw(st.integers(0, 5)) == 0:
            task["when"] = f"tasks.{above[0]}.state != 'Skipped'"
        fans = [other for other in above if "forEach" in tasks[other]]
        if fans and draw(st.booleans()):
            task["forEach"] = {"itemsOf": fans[0]}
        elif draw(st.integers(0, 2)) == 0:
            task["forEach"] = dict(draw(st.sampled_from(SOURCES)))
        if "forEach" in task:
            task["forEach"] |= {"failFast": draw(st.booleans()), "minSuccessRatio": draw(st.sampled_from([0, 0.5, 1]))}
            if draw(st.booleans()):
                task["forEach"]["parallelism"] = draw(st.integers(1, 2))
        limits = {"limit": draw(st.integers(0, 2)), "infrastructureLimit": draw(st.integers(0, 2))}
        task["retries"] = {**limits, "backoff": {"initial": "1s", "jitter": draw(st.sampled_from([0, 0.5]))}}
        if draw(st.integers(0, 3)) == 0:
            task |= {"totalTimeout": "5s", "pendingTimeout": "2s"}
        if draw(st.integers(0, 3)) == 0:
            until = draw(
                st.sampled_from(["iteration == 2", "outputs.n == 1", "false", "outputs.m == 1", "params.l[0]"])
            )
            task["loop"] = {"until": until, "maxIterations": draw(st.integers(1, 3))}
            task["loop"] |= {"delay": "2s"} if draw(st.booleans()) else {}
        if draw(st.integers(0, 3)) == 0:
            task["skipOn"] = draw(
                st.sampled_from(["reason == 'LoopFailed'", "reason == 'TotalTimeout' && attempt > 1"])
            )
        tasks[name] = task
    if handled and draw(st.booleans()):
        of = draw(st.sampled_from([["*"], names[:1], names[-2:]]))
        ends = sorted(draw(st.sets(st.sampled_from(["Failed", "Retry", "Succeeded", "Skipped"]), min_size=1)))
        tasks["tell"] = {"handles": {"of": of, "ends": ends}, "retries": {"limit": 1}}
        tasks["tell"] |= {"when": "item.task != 't0'"} if draw(st.booleans()) else {}
    spec: dict[str, Any] = {"parallelism": draw(st.integers(1, 4))} if draw(st.booleans()) else {}
    spec |= {"failFast": True} if draw(st.integers(0, 2)) == 0 else {}
    timeout = draw(st.sampled_from([None, None, None, 9.0]))
    spec |= {"timeout": f"{timeout:g}s"} if timeout else {}
    return Game(defined(tasks, params={"l": {"type": "list"}}, **spec), {"l": [1, 2]}, timeout=timeout)


def said(plan: Plan, planner: Planner) -> dict[str, Any]:
    """A plan in a comparable form."""
    states = {key: str(unit.state) for key, unit in planner.ledger.units.items()}
    return {
        "starts": [(start.key, start.number, start.ooms) for start in plan.starts],
        "room": plan.room,
        "stops": sorted((stop.task, stop.number, stop.reason) for stop in plan.stops),
        "holds": sorted((hold.task, hold.reason) for hold in plan.holds),
        "ended": (plan.phase, plan.message),
        "states": {**states, **{task: str(state) for task, state in planner.ledger.states.items()}},
    }


def check_afresh(game: Game, plan: Plan, order: Random) -> None:
    """A new planner that gets the facts in any order gives the same plan, now and at any time before the plan is due
    again."""
    later = game.now + 1e6 if plan.wake_at is None else (game.now + plan.wake_at) / 2
    for now, planner in ((game.now, game.anew(order)), (later, game.anew())):
        anew = planner.decide(now)
        assert said(anew, planner) == said(plan, game.planner), "a planner made anew says something else"
    if anew.wake_at is not None:
        assert plan.wake_at is not None and plan.wake_at <= anew.wake_at, "wakes up too late"


def check_rule(game: Game, key: str) -> None:
    """A task that starts may do so, by the current states of its dependencies."""
    task, index = parse_key(key)
    body = game.definition.tasks[task]
    if body.handles:
        return
    parent = body.for_each.items_of if body.for_each else None
    above = game.definition.graph.upstream[task]
    units, tasks = game.planner.ledger.units, game.planner.ledger.states
    states = {name: units[f"{name}[{index}]"].state if name == parent else tasks[name] for name in above}
    ended = {name: state for name, state in states.items() if state in FINAL}
    if body.trigger_rule in RULES:
        assert decide(body.trigger_rule, count(Counter(ended.values()), len(states))) is Verdict.RUN
    else:
        assert cel_rule.decide(body.trigger_rule, above, ended) is Verdict.RUN


def check_tallies(game: Game) -> None:
    """The counters equal the actual counts."""
    planner = game.planner
    counted = Counter(unit.state for unit in planner.ledger.units.values())
    counted.update(group.state for group in planner.ledger.groups.values() if not group.units)
    assert counted == +planner.ledger.tally and planner.ledger.total == sum(counted.values())


def iterations(attempts: list[Attempt]) -> list[list[str]]:
    """The reasons of a task's attempts; a success begins another list."""
    found: list[list[str]] = [[]]
    for attempt in attempts:
        if attempt.succeeded:
            found.append([])
        else:
            found[-1].append(attempt.reason)
    return found


@settings(max_examples=300, deadline=None)
@given(games(), st.data(), st.integers(0, 2**32))
def test_runs_end_in_order_with_budgets_kept_and_a_new_planner_always_agrees(
    game: Game, data: st.DataObject, seed: int
) -> None:
    order = Random(seed)
    for _ in range(300):
        plan = game.plan()
        check_tallies(game)
        check_afresh(game, plan, order)
        if plan.phase != "Running":
            break
        assert not {start.key for start in plan.starts} & set(game.live), "two attempts at once"
        for start in plan.starts:
            assert start.why
            if start.number == 1:
                check_rule(game, start.key)
        what = data.draw(
            st.sampled_from(["start", "start", "start all", "begin", "end", "end", "end", "crash", "cancel", "wait"])
        )
        pending = [key for key, live in game.live.items() if live.pending_since is not None]
        room = plan.starts[: plan.room]
        if what == "start" and room:
            game.start(data.draw(st.sampled_from(room)), pending=data.draw(st.booleans()))
        elif what == "start all":
            for start in room:
                game.start(start)
        elif what == "begin" and pending:
            game.begin(data.draw(st.sampled_from(pending)))
        elif what == "end" and game.live:
            game.end(data.draw(st.sampled_from(sorted(game.live))), data.draw(st.sampled_from(FATES)), {"n": 1})
        elif what == "crash":
            game.planner = game.anew()
        elif what == "cancel" and data.draw(st.integers(0, 14)) == 0:
            game.cancelled = True
            game.planner.cancel()
        elif plan.stops:
            game.end(plan.stops[0].task, plan.stops[0].reason)
        elif plan.wake_at is not None:
            game.now = max(game.now, plan.wake_at)
        game.now += data.draw(st.sampled_from([0.0, 0.5, 2.0]))
    final = game.play()
    assert final.phase in ("Succeeded", "Failed", "Cancelled") and final.message
    check_afresh(game, final, order)
    for key, attempts in game.ended.items():
        check_rule(game, key)
        terms = game.definition.terms[parse_key(key)[0]]
        retries, successes = terms.retries, sum(attempt.succeeded for attempt in attempts)
        assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
        for iteration in iterations(attempts):
            assert sum(reason in FAILURES for reason in iteration) <= retries.limit + 1
            assert sum(reason in LOSSES for reason in iteration) <= retries.infrastructure_limit + 1
        assert successes <= max(1, terms.iterations)
        if not terms.iterations:
            assert not any(attempt.succeeded for attempt in attempts[:-1]), "run again after it had succeeded"


@settings(max_examples=100, deadline=None)
@given(games(handled=False), st.data())
def test_a_cancelled_run_stops_every_pod_and_starts_nothing(game: Game, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(0, 3))):
        for start in game.plan().starts:
            game.start(start)
        for key in sorted(game.live)[::2]:
            game.end(key, data.draw(st.sampled_from(FATES)))
    game.plan()
    running = set(game.live)
    game.cancelled = True
    game.planner.cancel()
    plan = game.plan()
    assert plan.starts == [] and {(stop.task, stop.reason) for stop in plan.stops} == {
        (key, CANCELLED) for key in running
    }
    for key in running:
        game.end(key, CANCELLED)
    ended = game.plan()
    assert ended.phase != "Running" and ended.starts == []
    assert State.READY not in game.planner.ledger.states.values()


@settings(max_examples=100, deadline=None)
@given(games(), st.data())
def test_a_retried_run_keeps_what_succeeded(game: Game, data: st.DataObject) -> None:
    game.play(lambda key, number: data.draw(st.sampled_from(FATES)))
    units = game.planner.ledger.units
    done = {key for key in game.ended if units[key].state in (State.SUCCEEDED, State.SKIPPED)}
    game.retry()
    game.play()
    assert not done & {key for key, _ in game.started}
    for key, unit in game.planner.ledger.units.items():
        if unit.ended:
            looped = game.definition.tasks[unit.task].loop
            assert unit.state is State.SUCCEEDED or unit.ended[-1].reason or looped, key
