"""The value of an expression is a function of its inputs: in every process, and after every restart."""

import subprocess
import sys
from typing import Any

import orjson
import pytest
from tradewind.plan.cel.compiler import ExpressionError, compiled, run
from tradewind.plan.expressions.interpolation import written

from plan.game import Game, defined

VARIABLES = (("o", "object"), ("d", "any"), ("l", "list"))
LETTERS = {name: {"n": at, "b": [at], "a": at} for at, name in enumerate("qwertyuiop")}
LOOPS = {
    "o.map(k, k)": sorted(LETTERS),
    "d.map(k, k)": sorted(LETTERS),
    "o.filter(k, o[k].n > 2)": sorted(name for name in LETTERS if LETTERS[name]["n"] > 2),
    "l.map(x, x.map(k, k))": [sorted(LETTERS), [3, 1]],
    "o.map(k, o[k].map(j, j))": [["a", "b", "n"]] * 10,
    "{'z': 1, 'y': 2, 'x': 3, 'w': 4}.map(k, k)": ["w", "x", "y", "z"],
    "dyn({'z': 1, 'y': 2, 'x': 3, 'w': 4}).map(k, k)": ["w", "x", "y", "z"],
    "{'b': 1, 'a': 2, 3: 4, 2: 5}.map(k, k)": ["a", "b", 2, 3],
}


def value(expression: str, **given: Any) -> Any:
    return run(compiled(expression, VARIABLES, str), given)


@pytest.mark.parametrize("expression", LOOPS)
def test_loops_go_over_maps_in_the_order_of_their_keys(expression: str) -> None:
    for names in (LETTERS, dict(sorted(LETTERS.items())), dict(reversed(LETTERS.items()))):
        assert value(expression, o=names, d=names, l=[names, [3, 1]]) == LOOPS[expression]


def test_a_large_map_is_gone_over_in_order_too() -> None:
    """In pieces, like a large list."""
    large = {f"k{at * 7919 % 3000:04}": at for at in range(3_000)}
    for expression in ("o.map(k, k + '!')", "d.map(k, k).map(k, k + '!')"):
        assert value(expression, o=large, d=large) == [f"{name}!" for name in sorted(large)]


def test_a_map_is_written_in_the_order_of_its_keys() -> None:
    found = value("{'list': l, 'o': o}", o=LETTERS, l=[LETTERS])
    assert (
        list(found) == ["list", "o"]
        and list(found["o"]) == sorted(LETTERS)
        and list(found["list"][0]["q"]) == ["a", "b", "n"]
    )
    assert written({"b": 1, "a": {"d": 1, "c": 2}}) == '{"a":{"c":2,"d":1},"b":1}'


def test_another_process_makes_the_same_items() -> None:
    program = (
        "import orjson, sys; from tradewind.plan.cel.compiler import compiled, run;"
        "e, v, o = orjson.loads(sys.argv[1]);"
        "print(orjson.dumps(run(compiled(e, tuple(map(tuple, v)), str), {'o': o})).decode())"
    )
    said = orjson.dumps(["o.map(k, {'key': k, 'n': o[k].n, 'all': o})", VARIABLES, LETTERS]).decode()
    command = [sys.executable, "-c", program, said]
    found = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1 and [item["key"] for item in orjson.loads(found.pop())] == sorted(LETTERS)


def test_a_planner_made_anew_gives_every_item_its_place() -> None:
    tasks = {"each": {"forEach": {"items": "$[[ params.o.map(k, k) ]]"}, "env": {"I": "$[[ item ]]"}}}
    game = Game(defined(tasks, params={"o": {"type": "object"}}), {"o": LETTERS})
    for _ in range(3):
        planner = game.anew()
        planner.decide(0)
        assert [unit.item for unit in planner.ledger.members("each")] == sorted(LETTERS)


def test_combinations_have_the_order_of_their_axes_names() -> None:
    axes = {"os": ["a", "b"], "arch": ["x", "y"]}
    found = [{"arch": arch, "os": name} for arch in "xy" for name in "ab"]
    for order in (axes, dict(reversed(axes.items()))):
        game = Game(defined({"each": {"forEach": {"matrix": {"axes": order}}}}))
        game.plan()
        assert [unit.item for unit in game.planner.ledger.members("each")] == found


@pytest.mark.parametrize(
    ("expression", "given", "expected"),
    [
        ("d * 1.5", 2, 3.0),
        ("d * 1.5", 1.5, 2.25),
        ("d - 1", 1.5, 0.5),
        ("1.5 + d", 2, 3.5),
        ("d / 2", 3, 1),
        ("d / 2", 3.0, 1.5),
        ("d.map(x, x * 2.0)", [0.5, 1], [1, 2]),
        ("d.map(x, x + 1)", [0.5, 1], [1.5, 2]),
        ("d[0] * d[1] + d[0]", [2, 1.5], 5.0),
        ("d + 'a'", "b", "ba"),
        ("d.exists(x, x * 1.5 > 2.0)", [1, 2], True),
    ],
)
def test_whole_numbers_are_computed_with_as_fractions_are(expression: str, given: Any, expected: Any) -> None:
    assert value(expression, d=given) == expected


@pytest.mark.parametrize(
    ("expression", "given", "words"),
    [
        ("d + 'a'", 1, r"No matching overloads found : _\+_\(int64, string\)"),
        ("[d, 1.5].map(x, x + 'a')", 1, r"_\+_\(int64, string\)"),
        ("(d[0] + d[1]) + d[2]", [1, 1.5, "a"], r"_\+_\(double, string\)"),
        ("[d[0] * 1.5, dyn(d[0] / 0)]", [1], "divide by zero"),
        ("d / 0.0", 1.5, "not a finite number"),
        ("d[0] * 1.5 > 1.0 ? d[1] * d[1] : 0", [1, 2**62], "integer overflow"),
    ],
)
def test_what_can_not_be_computed_is_said(expression: str, given: Any, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        value(expression, d=given)


def test_declared_numbers_are_fractions_however_they_were_stored() -> None:
    """An API server stores 2.0 as 2."""
    tasks = {
        "a": {"outputs": {"n": {"type": "number"}}},
        "b": {"dependsOn": ["a"], "compute": {"half": "tasks.a.outputs.n / 4.0", "text": "string(params.r / 8.0)"}},
    }
    game = Game(defined(tasks, params={"r": {"type": "number"}}), {"r": 2})
    game.play(outputs=lambda key: {"n": 3} if key == "a" else {})
    evaluate = game.planner.ledger.evaluator("b", 1)
    assert (evaluate("tasks.a.outputs.n / 4.0"), evaluate("string(params.r / 8.0)")) == (0.75, "0.25")


@pytest.mark.parametrize(
    "given", ["a\0b", ["a\0b"], {"a\0b": 1}, [1, {"k": "\0"}], ["x"] * 50 + ["\0"], [[1]] * 50 + [["\0"]]]
)
def test_a_text_that_the_engine_would_cut_off_is_refused(given: Any) -> None:
    for expression in ("d", "[d].map(x, x)"):
        with pytest.raises(ExpressionError, match=r"contains the character U\+0000"):
            value(expression, d=given)


def test_what_only_looks_like_that_character_is_taken() -> None:
    given = [["\\u0000", {"\\u0000": 1}]] * 50
    assert value("d", d=given) == given
