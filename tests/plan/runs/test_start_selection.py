"""Which tasks start first, and how many at once, within a run."""

from typing import Any

import pytest
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.runs import planner
from tradewind.plan.runs.unit import advise

from plan.game import Game, defined


def test_the_runs_parallelism_counts_live_pods_and_says_who_waits() -> None:
    game = Game(defined({name: {} for name in "abcd"}, parallelism=2))
    plan = game.plan()
    assert (plan.room, [start.key for start in plan.starts]) == (2, ["a", "b"])
    assert [(hold.task, hold.message) for hold in plan.holds] == [
        ("c", "2 wait their turn: the run's parallelism is 2")
    ]
    game.start(plan.starts[0])
    assert game.plan().room == 1
    game.start(game.plan().starts[0])
    assert game.plan().room == 0 and game.keys() == []
    game.end("a")
    assert game.keys() == ["c"]


def test_priority_goes_before_place_and_place_before_item() -> None:
    tasks = {
        "a": {},
        "b": {"forEach": {"range": {"stop": 2}}, "priority": 1},
        "c": {"priority": 9},
        "d": {"priority": -1},
    }
    assert Game(defined(tasks)).keys() == ["c", "b[0]", "b[1]", "a", "d"]


def test_what_waits_in_a_pool_does_not_stand_before_what_needs_none() -> None:
    tasks = {"many": {"forEach": {"range": {"stop": 500}}, "pools": [{"name": "p"}], "priority": 5}, "free": {}}
    keys = Game(defined(tasks)).keys()
    assert "free" in keys and len(keys) == 257


def test_a_plan_lists_a_window_of_what_is_ready_and_the_next_one_what_comes_then() -> None:
    game = Game(defined({f"t{at}": {} for at in range(600)}))
    plan = game.plan()
    assert len(plan.starts) == 256 and not plan.holds
    for start in plan.starts:
        game.start(start)
    assert game.plan().starts[0].key not in {key for key, _ in game.started}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"parallelism": 0}, "spec.parallelism: 0 is too small; write at least 1"),
        ({"maxActiveRuns": "one"}, "spec.maxActiveRuns: 'one' is not a whole number; write one such as 3"),
        (
            {"concurrencyPolicy": "Forbid"},
            "spec.concurrencyPolicy: 'Forbid' is not known; write one of Queue, Skip, Replace",
        ),
        (
            {"concurrencyKey": "params.nope"},
            "spec.concurrencyKey: `params.nope` (at character 7): there is no params.nope",
        ),
        ({"concurrencyKey": "tasks.a.state"}, "spec.concurrencyKey: `tasks.a.state`"),
        ({"timeout": "soon"}, "spec.timeout: 'soon' is not a duration"),
        ({"priority": 10**9}, "spec.priority: 1000000000 is too large; write at most 1000000"),
    ],
)
def test_each_mistake_is_named_with_its_field(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        defined({"a": {}}, **spec)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ({}, "spec.tasks.a.pools[0].name: required"),
        ({"name": "p", "slots": 0}, "spec.tasks.a.pools[0].slots: 0 is too small; write at least 1"),
        ({"name": "P!"}, "spec.tasks.a.pools[0].name: 'P!' is not valid here; use at most 63"),
        (
            {"name": "p", "kind": "Queue"},
            "spec.tasks.a.pools[0].kind: 'Queue' is not known; write one of Pool, ClusterPool",
        ),
    ],
)
def test_each_mistake_about_pools_is_named_with_its_field(pool: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        defined({"a": {"pools": [pool]}})
    assert words in str(caught.value)


@pytest.mark.parametrize("size", [100, 2_000])
def test_an_event_looks_at_what_it_can_have_changed_however_large_the_run_is(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fan = {"fan": {"forEach": {"range": {"stop": size}}}, "end": {"dependsOn": ["fan"]}}
    chain = {f"t{at}": {"dependsOn": [f"t{at - 1}"] if at else []} for at in range(size)}
    game = Game(defined({**fan, **chain}))
    while starts := game.plan().starts:
        for start in starts:
            game.start(start)
    looked: list[str] = []

    def counted(unit: Any, *rest: Any) -> Any:
        looked.append(unit.key)
        return advise(unit, *rest)

    monkeypatch.setattr(planner, "advise", counted)
    game.end("fan[7]")
    game.end("t0")
    game.plan()
    assert sorted(looked) == ["fan[7]", "t0", "t1"]


def test_runs_of_other_dags_count_for_the_parallelism_as_pods_do() -> None:
    call = {"dag": {"name": "other"}, "image": ""}
    game = Game(defined({"a": call, "b": {}, "c": call, "d": {"compute": {"x": "1"}}}, parallelism=1))
    plan = game.plan()
    assert ([start.key for start in plan.podless], plan.room) == (["a", "d"], 0)
    assert {hold.task: hold.message for hold in plan.holds} == {"c": "waits its turn: the run's parallelism is 1"}
    game.start(plan.podless[0])
    assert [start.key for start in game.plan().podless] == ["d"] and game.plan().room == 0
    game.end("a")
    plan = game.plan()
    assert ([start.key for start in plan.podless], plan.room) == (["d"], 1) and plan.starts[0].key == "b"
    game.start(plan.starts[0])
    game.end("b")
    assert [start.key for start in game.plan().podless] == ["c", "d"]


def test_a_pod_that_waits_in_a_pool_keeps_no_run_of_another_dag_waiting() -> None:
    tasks = {"a": {"pools": [{"name": "p"}], "priority": 9}, "b": {"dag": {"name": "other"}, "image": ""}}
    assert [start.key for start in Game(defined(tasks, parallelism=1)).plan().podless] == ["b"]
