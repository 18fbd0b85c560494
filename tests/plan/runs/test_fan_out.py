"""One task, many items."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.fan_out import ForEach
from tradewind.plan import pacing
from tradewind.plan.dags import fan_out
from tradewind.plan.documents.problem import Invalid

from plan.game import Game, defined


def fan(for_each: dict[str, Any], params: dict[str, Any] | None = None, **task: Any) -> Game:
    declared = {name: {"type": _kind(value)} for name, value in (params or {}).items()}
    tasks = {"x": {"forEach": for_each, **task}, "after": {"dependsOn": ["x"]}}
    return Game(defined(tasks, params=declared), params or {})


def _kind(value: Any) -> str:
    return {list: "list", int: "integer", dict: "object"}[type(value)]


def items(game: Game) -> list[Any]:
    game.plan()
    return [unit.item for unit in game.planner.ledger.members("x")]


@pytest.mark.parametrize(
    ("for_each", "params", "expected"),
    [
        ({"items": ["a", {"b": 1}, 3]}, {}, ["a", {"b": 1}, 3]),
        ({"items": ["$[[ params.n + 1 ]]", "n$[[ params.n ]]"]}, {"n": 2}, [3, "n2"]),
        ({"items": "$[[ params.l ]]"}, {"l": [1, [2]]}, [1, [2]]),
        ({"items": "$[[ params.l.filter(x, x > 1).map(x, {'v': x}) ]]"}, {"l": [1, 2, 3]}, [{"v": 2}, {"v": 3}]),
        ({"range": {"stop": 3}}, {}, [0, 1, 2]),
        ({"range": {"start": 10, "stop": "$[[ params.n ]]", "step": 5}}, {"n": 21}, [10, 15, 20]),
        ({"range": {"start": 3, "stop": 0, "step": -1}}, {}, [3, 2, 1]),
        ({"matrix": {"axes": {"a": [1, 2], "b": ["x", "y"]}}}, {}, [{"a": i, "b": j} for i in (1, 2) for j in "xy"]),
        (
            {"matrix": {"axes": {"a": "$[[ params.l ]]", "b": [0]}, "exclude": [{"a": 1}], "include": [{"c": 9}]}},
            {"l": [1, 2]},
            [{"a": 2, "b": 0}, {"c": 9}],
        ),
        ({"items": ["one"]}, {}, ["one"]),
    ],
)
def test_items_come_from(for_each: dict[str, Any], params: dict[str, Any], expected: list[Any]) -> None:
    assert items(fan(for_each, params)) == expected


_AXES = st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from([0, 1, True, "x", [1], {"k": 1}]), max_size=3))


@given(_AXES.filter(bool), st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0, 1, "x", [1]]))))
def test_combinations_that_have_all_values_of_a_pattern_are_left_out(
    axes: dict[str, Any], exclude: list[dict[str, Any]]
) -> None:
    def found(**more: Any) -> list[Any]:
        return fan_out.items(ForEach.model_validate({"matrix": {"axes": axes, **more}}), lambda text: text)

    def left_out(item: dict[str, Any]) -> bool:
        return any(
            pattern and all(name in item and item[name] == value for name, value in pattern.items())
            for pattern in exclude
        )

    assert found(exclude=exclude) == [item for item in found() if not left_out(item)]


def test_large_values_are_compared_once_and_with_pauses() -> None:
    class Large:
        compared = 0

        def __eq__(self, other: object) -> bool:
            Large.compared += 1
            return False

        __hash__ = None  # type: ignore[assignment]

    class Counting:
        pauses, spent = 0, False

        def pause(self) -> None:
            self.pauses += 1

        def evaluate(self, asked: pacing.Evaluation) -> Any:
            raise AssertionError(asked.expression)

    source = ForEach.model_validate({"matrix": {"axes": {"a": "$[[ l ]]", "b": list(range(500))}}})
    assert source.matrix is not None
    matrix = source.matrix.model_copy(update={"exclude": [{"a": at} for at in range(40)]})
    counting = Counting()
    with pacing.at(counting):
        kept = fan_out.items(source.model_copy(update={"matrix": matrix}), lambda _: [Large()])
    assert len(kept) == 500 and Large.compared == 40
    assert counting.pauses >= 540


@pytest.mark.parametrize("for_each", [{"items": []}, {"range": {"stop": 0}}, {"matrix": {"axes": {"a": [], "b": [1]}}}])
def test_a_fan_out_over_nothing_is_skipped_and_so_is_what_follows(for_each: dict[str, Any]) -> None:
    game = fan(for_each)
    plan = game.play()
    assert plan.phase == "Succeeded" and game.states() == {"x": "Skipped", "after": "Skipped"}
    assert game.planner.ledger.groups["x"].why == "there are no items" and game.planner.ledger.total == 2


@pytest.mark.parametrize(
    ("for_each", "params", "why"),
    [
        ({"range": {"stop": "$[[ params.n ]]"}}, {"n": 100_000}, "forEach.range: 100000 items are over the limit of 10000"),
        ({"items": "$[[ params.l ]]"}, {"l": [0] * 100_000}, "forEach: 100000 items are over the limit of 10000"),
        (
            {"matrix": {"axes": {"a": "$[[ params.l ]]", "b": list(range(400))}}},
            {"l": list(range(400))},
            "forEach.matrix: 160000 combinations are over the limit of 10000",
        ),
        ({"range": {"stop": 9_999}}, {}, ""),
        ({"range": {"stop": 10_000}}, {}, "forEach: the run would have 10001 tasks and items, the limit is 10000"),
        ({"items": [1], "name": "$[[ item ]]"}, {}, ""),
        ({"range": {"stop": 1, "step": "$[[ params.n ]]"}}, {"n": 0}, "forEach.range.step: 0 leads nowhere"),
        ({"items": "$[[ params.o.x ]]"}, {"o": {"x": "text"}}, "forEach.items: `params.o.x` gives a string, not a list"),
        ({"items": "$[[ params.o.x ]]"}, {"o": {"x": {}}}, "gives an object, not a list"),
        ({"items": "$[[ params.o.x ]]"}, {"o": {"x": None}}, "gives null, not a list"),
        ({"items": "$[[ params.o.nope ]]"}, {"o": {}}, "forEach.items: `params.o.nope`: there is no key 'nope'"),
        ({"range": {"stop": "$[[ params.o.x ]]"}}, {"o": {"x": 1.5}}, "forEach.range.stop: '1.5' is not a whole number"),
    ],
)  # fmt: skip
def test_items_that_can_not_be_had_fail_the_task_and_say_why(
    for_each: dict[str, Any], params: dict[str, Any], why: str
) -> None:
    game = fan(for_each, params)
    game.plan()
    assert why in game.planner.refused.get("x", "") and bool(why) == ("x" in game.planner.refused)
    if why:
        assert game.states()["x"] == "Failed" and why[:60] in game.plan().message


def test_five_thousand_items_run_and_are_collected_in_their_order() -> None:
    tasks = {
        "x": {"forEach": {"range": {"stop": 5_000}}},
        "sum": {"dependsOn": ["x"], "when": "tasks.x.outputs[4999].n == 4999"},
    }
    game = Game(defined(tasks))
    plan = game.play(outputs=lambda key: {"n": int(key[2:-1])} if "[" in key else None)
    assert plan.message == "5001 of 5001 tasks succeeded" and len(game.started) == 5_001


def test_outputs_are_collected_at_their_places_with_null_for_items_that_did_not_succeed() -> None:
    tasks = {
        "x": {"forEach": {"items": [0, 1, 2, 3], "minSuccessRatio": 0.5}, "when": "item != 2"},
        "y": {"dependsOn": ["x"], "forEach": {"items": "$[[ tasks.x.outputs ]]"}},
    }
    game = Game(defined(tasks))
    game.play(lambda key, _: "Error" if key == "x[1]" else "", lambda key: {"k": key} if key == "x[0]" else None)
    assert [unit.item for unit in game.planner.ledger.members("y")] == [{"k": "x[0]"}, None, None, {}]


def test_a_fan_out_of_a_fan_out_has_items_made_of_collected_outputs() -> None:
    tasks = {
        "x": {"forEach": {"range": {"stop": 3}}},
        "y": {"dependsOn": ["x"], "forEach": {"items": "$[[ tasks.x.outputs.map(o, o.n * 10) ]]"}},
        "z": {"dependsOn": ["y"], "when": "tasks.y.states.all(s, s == 'Succeeded')"},
    }
    game = Game(defined(tasks))
    assert game.play(outputs=lambda key: {"n": int(key[2:-1])} if key[0] == "x" else None).phase == "Succeeded"
    assert [unit.item for unit in game.planner.ledger.members("y")] == [0, 10, 20] and game.states()["z"] == "Succeeded"


@pytest.mark.parametrize(
    ("name", "items", "names"),
    [
        ("$[[ item.id ]]-$[[ index ]]", [{"id": "a"}, {"id": "b"}], ["a-0", "b-1"]),
        ("", ["north", 3, {"k": 1}], ["north", "3", '{"k":1}']),
        ("$[[ item.nope ]]", [{"id": "a"}], ['{"id":"a"}']),
        ("", ["x" * 200], ["x" * 80]),
    ],
)
def test_items_are_called_by_their_name_or_by_what_they_are(name: str, items: list[Any], names: list[str]) -> None:
    game = fan({"items": items, "name": name})
    game.plan()
    assert [game.planner.ledger.item_name(unit) for unit in game.planner.ledger.members("x")] == names


def test_a_condition_about_the_item_skips_single_items() -> None:
    game = fan({"items": [1, 2, 3]}, when="item > 1 && index < 2")
    game.play()
    assert game.states() == {
        "x[0]": "Skipped", "x[1]": "Succeeded", "x[2]": "Skipped", "x": "Succeeded", "after": "Succeeded",
    }  # fmt: skip


def test_a_fan_out_of_which_every_item_was_skipped_is_skipped() -> None:
    game = fan({"items": [1, 2]}, when="item > 5")
    game.play()
    assert game.states()["x"] == "Skipped" and game.states()["after"] == "Skipped"


def test_parallelism_bounds_how_many_items_live_and_says_how_many_wait() -> None:
    game = fan({"range": {"stop": 5}, "parallelism": 2})
    plan = game.plan()
    assert [start.key for start in plan.starts] == ["x[0]", "x[1]"]
    assert [(hold.task, hold.reason, hold.message) for hold in plan.holds] == [
        ("x[2]", "Parallelism", "3 wait their turn: forEach.parallelism of task x is 2")
    ]
    for start in plan.starts:
        game.start(start)
    assert game.keys() == []
    game.end("x[1]")
    assert game.keys() == ["x[2]"]


def test_fail_fast_stops_what_runs_and_starts_no_more() -> None:
    game = fan({"range": {"stop": 4}, "parallelism": 2, "failFast": True})
    for start in game.plan().starts:
        game.start(start)
    game.end("x[0]", "Error")
    plan = game.plan()
    assert plan.starts == [] and [(stop.task, stop.reason) for stop in plan.stops] == [("x[1]", "FailFast")]
    game.end("x[1]", "FailFast")
    assert game.plan().phase == "Failed"
    assert game.plan().message == "failed: x (of 4 items 1 failed, 3 stopped); 1 task downstream did not run"


def test_without_fail_fast_every_item_gets_its_turn() -> None:
    game = fan({"range": {"stop": 4}, "parallelism": 1})
    game.play(lambda key, _: "Error" if key == "x[0]" else "")
    assert len([key for key, _ in game.started if key.startswith("x[")]) == 4 and game.states()["x"] == "Failed"


@pytest.mark.parametrize(
    ("bad", "state"), [(0, "Succeeded"), (1, "Succeeded"), (2, "Succeeded"), (3, "Failed"), (10, "Failed")]
)
def test_a_share_of_the_items_may_fail(bad: int, state: str) -> None:
    game = fan({"range": {"stop": 10}, "minSuccessRatio": 0.8})
    game.play(lambda key, _: "Error" if "[" in key and int(key[2:-1]) < bad else "")
    assert game.states()["x"] == state


def test_fail_fast_waits_until_too_many_have_failed() -> None:
    game = fan({"range": {"stop": 10}, "minSuccessRatio": 0.8, "failFast": True, "parallelism": 1})
    game.play(lambda key, _: "Error")
    assert len([key for key, _ in game.started if key.startswith("x[")]) == 3


def test_items_that_only_the_infrastructure_lost_make_a_lost_task() -> None:
    game = fan({"range": {"stop": 2}}, retries={"infrastructureLimit": 0})
    game.play(lambda key, _: "NodeLost")
    assert game.states()["x"] == "Lost" and game.states()["x[0]"] == "Lost"


@pytest.mark.parametrize(
    ("for_each", "words"),
    [
        ({}, "spec.tasks.x.forEach: has nothing to iterate over; write one of items, range, matrix and itemsOf"),
        ({"items": [1], "range": {"stop": 1}}, "spec.tasks.x.forEach: items and range exclude each other"),
        ({"items": "abc"}, "spec.tasks.x.forEach.items: not a list"),
        ({"items": {"a": 1}}, "spec.tasks.x.forEach.items: not a list"),
        ({"items": "$[[ 5 ]]"}, "spec.tasks.x.forEach.items: `5`: gives an integer, not a list"),
        ({"items": "$[[ params.nope ]]"}, "spec.tasks.x.forEach.items: `params.nope`"),
        ({"range": {}}, "spec.tasks.x.forEach.range.stop: required"),
        ({"range": {"stop": "ten"}}, "spec.tasks.x.forEach.range.stop: 'ten' is not a whole number"),
        ({"matrix": {"axes": {}}}, "spec.tasks.x.forEach.matrix.axes: empty; write NAME: value for each"),
        ({"matrix": {"axes": {"a": 5}}}, "spec.tasks.x.forEach.matrix.axes.a: not a list"),
        ({"range": {"stop": 100_000}}, "spec.tasks.x.forEach.range: 100000 items are over the limit of 10000"),
        ({"range": {"stop": 1, "step": 0}}, "spec.tasks.x.forEach.range.step: 0 leads nowhere; write 1, or -1 to count down"),
        ({"range": {"stop": 100_000}, "name": "n$[[ item ]]"}, "spec.tasks.x.forEach.range: 100000 items are over the limit"),
        ({"items": [0] * 10_001}, "spec.tasks.x.forEach: 10001 items are over the limit of 10000"),
        ({"itemsOf": "y"}, "spec.tasks.x.forEach.itemsOf: 'y' is not in dependsOn"),
        ({"itemsOf": "w"}, "spec.tasks.x.forEach.itemsOf: 'w' has no forEach"),
        ({"items": [1], "parallelism": 0}, "spec.tasks.x.forEach.parallelism: 0 is too small; write at least 1"),
        ({"items": [1], "minSuccessRatio": 2}, "spec.tasks.x.forEach.minSuccessRatio: 2 is too large; write at most 1"),
        ({"items": [1], "name": "$[[ itme ]]"}, "spec.tasks.x.forEach.name: `itme`"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_field(for_each: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        defined({"w": {}, "x": {"dependsOn": ["w"], "forEach": for_each}})
    assert words in str(caught.value)
