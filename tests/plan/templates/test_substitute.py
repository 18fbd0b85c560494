"""The replacement of `inputs.NAME` in a template."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.bounded import checked
from tradewind.model.task import Task
from tradewind.plan.cel import compiler
from tradewind.plan.documents.place import Place
from tradewind.plan.documents.problem import ENOUGH, Problem
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.literal import literal, references
from tradewind.plan.templates.inputs import Inputs, Secret
from tradewind.plan.templates.render import render
from tradewind.plan.templates.substitute import Substitution

VALUES = {
    "s": "users",
    "n": 3,
    "neg": -2,
    "f": 2.5,
    "yes": True,
    "list": ["a", "b"],
    "nested": [[1, 2], [3, [4]]],
    "map": {"delimiter": ";", "deep": {"k": [1]}},
    "quoted": """it's "quoted" \\ and ]] closed""",
    "code": "x' || true || '",
    "dollar": "$",
    "bracket": "[[ 1 + 1 ]]",
    "later": "$[[ tasks.count.outputs.rows ]]",
    "mixed": "t_$[[ params.region ]]",
    "lists": ["a", "$[[ params.region ]]"],
    "commented": "$[[ params.x // here ]]",
    "rule": "AllDone",
    "wait": "5m",
    "token": Secret(name="vault", key="token"),
}


def substituted(body: Any) -> tuple[Any, list[Problem]]:
    made = Substitution(Inputs(VALUES), Place("spec.task"))
    return made.body(Task, body), made.problems


def one(text: str, *field: str) -> Any:
    body: Any = text
    for name in reversed(field):
        body = {name: body}
    found, problems = substituted(body)
    assert problems == []
    for name in field:
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$[[ inputs.n ]]", 3),
        ("$[[ inputs.neg ]]", -2),
        ("$[[ inputs.f ]]", 2.5),
        ("$[[ inputs.yes ]]", True),
        ("$[[ inputs.s ]]", "users"),
        ("  $[[inputs.s]] ", "users"),
        ("$[[ inputs.list ]]", ["a", "b"]),
        ("$[[ inputs.nested ]]", [[1, 2], [3, [4]]]),
        ("$[[ inputs.map ]]", {"delimiter": ";", "deep": {"k": [1]}}),
        ("$[[ inputs.map.delimiter ]]", ";"),
        ("$[[ inputs.list[1] ]]", "b"),
        ("$[[ inputs.nested[0].size() ]]", 2),
        ("$[[ inputs.n - inputs.neg ]]", 5),
        ("$[[ inputs.n > 2 && inputs.s == 'users' ]]", True),
        ("$[[ inputs.quoted ]]", VALUES["quoted"]),
        ("$[[ inputs.quoted + '!' ]]", VALUES["quoted"] + "!"),
        ("$[[ inputs.list.exists(inputs_, inputs_ == 'a') ]]", True),
        ("$[[ inputs.later ]]", "$[[ tasks.count.outputs.rows ]]"),
        ("$[[ inputs.later + inputs.n ]]", "$[[ (tasks.count.outputs.rows) + 3 ]]"),
        ("$[[ inputs.mixed ]]", "t_$[[ params.region ]]"),
        ("$[[ inputs.mixed + inputs.s ]]", '$[[ ("t_" + string(params.region)) + "users" ]]'),
        ("$[[ inputs.commented + 1 ]]", "$[[ (params.x // here\n) + 1 ]]"),
        ("$[[ inputs.lists ]]", ["a", "$[[ params.region ]]"]),
        ("$[[ inputs.lists.size() + index ]]", '$[[ ["a", (params.region)].size() + index ]]'),
        ("$[[ params.region + inputs.s ]]", '$[[ params.region + "users" ]]'),
        ("$[[ params.inputs.s ]]", "$[[ params.inputs.s ]]"),
        ("$[[ 'inputs.s' + run.name ]]", "$[[ 'inputs.s' + run.name ]]"),
        ("""$[[ r'\\' + inputs.s + "inputs.s" + run.name ]]""", """$[[ r'\\' + "users" + "inputs.s" + run.name ]]"""),
        (
            """$[[ \"\"\"a "inputs.s" b\"\"\" + inputs.s + run.name ]]""",
            """$[[ \"\"\"a "inputs.s" b\"\"\" + "users" + run.name ]]""",
        ),
        ("$[[ duration('1m') > duration('2m') || inputs.yes ]]", True),
        ("$[[ duration(inputs.wait) ]]", '$[[ duration("5m") ]]'),
        ("inputs.s is a word here", "inputs.s is a word here"),
        ("table $[[ inputs.s ]], $[[ inputs.n ]] times, $[[ inputs.list ]]", 'table users, 3 times, ["a","b"]'),
        ("$[[ inputs.s ]]-$[[ run.name ]]", "users-$[[ run.name ]]"),
        ("raw_$[[ inputs.mixed ]]", "raw_t_$[[ params.region ]]"),
        ("x $[[ inputs.lists ]]", 'x $[[ ["a", (params.region)] ]]'),
    ],
)
def test_a_value_keeps_its_type_where_it_is_all_there_is(text: str, wanted: Any) -> None:
    found = one(text, "podTemplate", "x")
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$[[ inputs.n ]]", "3"),
        ("$[[ inputs.yes ]]", "true"),
        ("$[[ inputs.list ]]", '["a","b"]'),
        ("$[[ inputs.f ]]", "2.5"),
    ],
)
def test_a_field_that_is_a_text_gets_the_value_as_text(text: str, wanted: str) -> None:
    assert one(text, "env", "X") == wanted


@pytest.mark.parametrize(
    ("field", "text", "wanted"),
    [
        ("when", "inputs.n > 2", "3 > 2"),
        ("when", "inputs.code == 'x'", """"x' || true || '" == 'x'"""),
        ("when", "inputs.later > inputs.neg", "(tasks.count.outputs.rows) > (-2)"),
        ("when", "'inputs.s' != inputs.s // inputs.s", """'inputs.s' != "users" // inputs.s"""),
        ("when", "inputs . s == ''", """"users" == ''"""),
        ("triggerRule", "inputs.rule", "AllDone"),
        ("triggerRule", "$[[ inputs.rule ]]", "AllDone"),
        ("triggerRule", "inputs.yes && Failed(a)", "true && Failed(a)"),
    ],
)
def test_an_expression_stays_one(field: str, text: str, wanted: str) -> None:
    assert one(text, field) == wanted


def test_expressions_are_found_wherever_the_models_have_them() -> None:
    assert one("exitCode == inputs.n", "retries", "retryOn") == "exitCode == 3"
    assert one("$[[ inputs.n ]]", "retries", "limit") == 3


@pytest.mark.parametrize(
    ("text", "wanted"), [("$$[[ inputs.bracket ]]", "$[[ 1 + 1 ]]"), ("$[[ inputs.dollar ]][[ 1 ]]", "$[[ 1 ]]")]
)
def test_a_value_makes_no_expression_together_with_the_text_around_it(text: str, wanted: str) -> None:
    found = one(text, "env", "X")
    shown = interpolation.render(
        found, lambda inner: compiler.run(compiler.compiled(inner, (), str), {}), interpolation.written
    )
    assert shown == wanted


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"env": {"X": "$[[ inputs.nope ]]"}},
            "spec.task.env.X: `inputs.nope`: there is no inputs.nope; declared are: inputs.bracket",
        ),
        ({"env": {"X": "$[[ inputs['s'] ]]"}}, "spec.task.env.X: `inputs['s']`: write inputs.NAME; declared are"),
        ({"when": "size(inputs) > 0"}, "spec.task.when: `size(inputs) > 0`: write inputs.NAME"),
        ({"env": {"X": "$[[ inputs.s"}}, "spec.task.env.X: `$[[ inputs.s`: `$[[` without `]]`"),
        ({"env": {"X": "$[[ inputs.n / 0 ]]"}}, "spec.task.env.X: `3 / 0`: "),
        ({"env": {"X": "a$[[ inputs.token ]]"}}, "a secret can only be the whole value of an environment variable"),
        ({"when": "inputs.token == ''"}, "inputs.token is a secret"),
        (
            {"script": {"python": "print('$[[ inputs.s ]]')"}},
            "spec.task.script.python: a script is never interpolated; pass the input by env",
        ),
    ],
)
def test_what_can_not_be_substituted_is_refused_with_its_path(body: Any, words: str) -> None:
    _, (problem,) = substituted(body)
    assert words in str(problem)


def test_inputs_are_written_out_as_far_as_an_expression_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    def counted(value: Any) -> str:
        written.append(value)
        return literal(value)

    monkeypatch.setattr("tradewind.plan.templates.substitute.literal", counted)
    made = Substitution(Inputs({"large": "x" * 100_000}), Place("spec.task"))
    made.body(Task, {"image": "i", "when": " + ".join(["inputs.large"] * 200)})
    assert "longer than 4096 characters with its inputs written out" in str(made.problems[0]) and len(written) == 1


def test_wrong_expressions_are_compiled_until_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that name something else as well are not wrong, and are never too many."""
    tried, compile_ = list[str](), compiler.compiled

    def compiled(expression: str, *rest: Any) -> Any:
        tried.append(expression)
        return compile_(expression, *rest)

    monkeypatch.setattr(compiler, "compiled", compiled)
    task = {"image": "x", "args": [f"$[[ inputs.n + {number} + OTHER ]]" for number in range(3 * ENOUGH)]}
    for other, most in (("'a'", ENOUGH), ("params.p", 3 * ENOUGH)):
        tried.clear()
        args = [text.replace("OTHER", other) for text in task["args"]]
        template = {"params": {"n": {"type": "integer", "default": 1}}, "task": {**task, "args": args}}
        found = render({"tasks": {"a": {"template": {"name": "t"}}}}, lambda ref, template=template: template)
        assert len(tried) == most and len(found.spec["tasks"]["a"]["args"]) == 3 * ENOUGH


def test_scripts_are_left_alone() -> None:
    assert one("print(inputs.s)", "script", "python") == "print(inputs.s)"


def json_values(keys: int) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda text: "$[[" not in text)
        | st.text("$[]'\"\\\n r", max_size=8).filter(lambda text: "$[[" not in text),
        lambda inner: (
            st.lists(inner, max_size=keys) | st.dictionaries(st.text('ab]"', max_size=3), inner, max_size=keys)
        ),
        max_leaves=6,
    )


BESIDE = st.text("$[] x", max_size=4).filter(lambda text: "$[[" not in text)


@given(json_values(3))
def test_a_value_written_as_cel_evaluates_to_itself(value: Any) -> None:
    text = literal(value)
    assert interpolation.whole(f"$[[ {text} ]]") == text.strip()
    assert compiler.run(compiler.compiled(text, (), str), {}) == value
    assert list(references(text)) == []


@settings(max_examples=300)
@given(json_values(3).map(lambda value: checked(value) if isinstance(value, list | dict) else value), BESIDE, BESIDE)
def test_a_value_in_a_text_is_there_as_it_is_written(value: Any, before: str, after: str) -> None:
    """Whatever is next to it: the rest that is rendered for the pod gives the same text."""
    made = Substitution(Inputs({"v": value}), Place("spec.task"))
    text = made.body(Task, {"env": {"X": f"{before}$[[ inputs.v ]]{after}!"}})["env"]["X"]
    shown = interpolation.render(
        text, lambda inner: compiler.run(compiler.compiled(inner, (), str), {}), interpolation.written
    )
    assert not made.problems and shown == f"{before}{interpolation.written(value)}{after}!"
