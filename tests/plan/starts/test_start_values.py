"""What a DAG reads when a run starts, and what expressions see of it."""

from typing import Any

import pytest
from tradewind.model.dag import DAGSpec
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.scope import Names, Scope, compile_in
from tradewind.plan.starts.start_values import Wanted, described, kept_values, variables, wanted

KEEP = {"cursor": {"type": "integer", "value": "tasks.a.outputs.n", "initial": 0}}


def dag(expression: str = "1", **spec: Any) -> dict[str, Any]:
    a = {"compute": {"n": "1"}}
    return {"tasks": {"a": a, "b": {"dependsOn": ["a"], "compute": {"v": expression}}}, **spec}


def problems(spec: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        define(spec)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("expression", "spec", "needs"),
    [
        ("run.name", {}, Wanted()),
        ("run.previous.name", {}, Wanted(frozenset({"previous"}))),
        ("run . lastSuccess . phase", {}, Wanted(frozenset({"lastSuccess"}))),
        ("run.previous.outputs.x", {}, Wanted(frozenset({"previous"}), outputs=True)),
        ("kept.cursor", {"keep": KEEP}, Wanted(frozenset({"lastSuccess"}))),
        ("run.latest && run.nextDate != ''", {}, Wanted(made=frozenset({"latest", "nextDate"}))),
        ("run.trigger.type", {}, Wanted(made=frozenset({"trigger"}))),
    ],
)
def test_a_dag_reads_only_what_it_names(expression: str, spec: dict[str, Any], needs: Wanted) -> None:
    assert define(dag(expression, **spec)).start_values == needs


@pytest.mark.parametrize(
    "expression",
    [
        "kept.cursor + 1",
        "config.rates.EUR",
        "has(config.rates.EUR) ? config.rates.EUR : 'none'",
        "has(run.previous.outputs.rows) ? run.previous.outputs.rows : 0",
        "run.lastSuccess.logicalDate == ''",
        "run.latest && run.nextDate == '' || run.trigger.type == 'schedule' && run.trigger.name == 'nightly'",
    ],
)
def test_expressions_may_name(expression: str) -> None:
    define(dag(expression, keep=KEEP, config={"rates": {"configMap": "exchange-rates"}}))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (dag("kept.cursor"), "there is no kept.cursor; declare it under spec.keep"),
        (
            dag("kept.curser", keep=KEEP),
            "there is no kept.curser; did you mean cursor? declared under spec.keep are: cursor",
        ),
        (dag("config.rates.EUR"), "there is no config.rates; declare it under spec.config"),
        (
            dag("run.previous.date"),
            "there is no run.previous.date; there are run.name",
        ),
        (
            dag(concurrencyKey="kept.cursor", keep=KEEP),
            "kept is known to runs that have started only",
        ),
        (
            dag(concurrencyKey="run.previous.name"),
            "run.previous.name is known to runs that have started only",
        ),
        (dag(concurrencyKey="run.trigger.name"), "run.trigger.name is known to runs that have started only"),
        (dag("run.trigger.kind"), "there is no run.trigger.kind; there are run.name"),
        (
            dag(keep={"cursor": {"value": "tasks.b.outputs.v"}}),
            "spec.keep.cursor.initial: required",
        ),
        (
            dag(keep={"cursor": {"type": "integer", "value": "1", "initial": "x"}}),
            "spec.keep.cursor.initial: 'x' is not an integer",
        ),
        (
            dag(keep={"cursor": {"value": "tasks.c.outputs.v", "initial": ""}}),
            "there is no task 'c'",
        ),
        (dag(keep={"a-b": {"value": "''", "initial": ""}}), "spec.keep.a-b: not a name"),
        (dag(config={"rates": {"configMap": "No_Name"}}), "spec.config.rates.configMap"),
    ],
)
def test_mistakes_are_told_with_field_and_fix(spec: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(spec)), problems(spec)


def test_kept_values_are_those_left_or_the_initial_ones() -> None:
    declared = define(dag(keep={**KEEP, "seen": {"type": "list", "value": "[]", "initial": []}})).spec.keep
    assert kept_values(declared, {"cursor": 7}, "r1") == {"cursor": 7, "seen": []}


def test_a_value_that_no_longer_fits_is_told_with_the_run_that_left_it() -> None:
    with pytest.raises(Invalid) as caught:
        kept_values(define(dag(keep=KEEP)).spec.keep, {"cursor": "seven"}, "r1")
    assert str(caught.value.problems[0]) == (
        "spec.keep.cursor: 'seven' is not an integer, and run r1 has left that; declare the value under another name, "
        "or change its type back"
    )


def test_variables_have_the_names_of_expressions() -> None:
    bound = {"previous": described("r1", "Failed", "2026-11-29T00:00:00Z", {"n": 1}), "kept": {"cursor": 7}}
    bound |= {"latest": False, "nextDate": "2026-12-01", "trigger": {"type": "schedule", "name": "nightly"}}
    assert dict(variables(bound)) == {
        "run.previous.name": "r1",
        "run.previous.phase": "Failed",
        "run.previous.logicalDate": "2026-11-29T00:00:00Z",
        "run.previous.outputs": {"n": 1},
        "run.latest": False,
        "run.nextDate": "2026-12-01",
        "run.trigger.type": "schedule",
        "run.trigger.name": "nightly",
        "kept.cursor": 7,
    }


@pytest.mark.parametrize(
    "bound", [{"previous": 1}, {"kept": []}, {"config": "x"}, {"latest": "yes", "nextDate": 1, "trigger": []}]
)
def test_a_forged_record_gives_no_values(bound: dict[str, Any]) -> None:
    assert not dict(variables(bound))


@pytest.mark.parametrize(
    "expression",
    [
        "true &&\nrun.latest",
        "\trun.latest",
        "run\n.latest",
        "run // made\n.latest",
        'x == "//" ||\r\nrun.latest',
        "run.`latest`",
        "(run).latest",
        "!(( run )) . latest",
        "run" + f"// {'why ' * 100}\n" * 9 + "." + "// once more\n" * 20 + "latest",
        "'run//' == '' || run.latest",
    ],
)
def test_a_name_is_found_however_it_is_written(expression: str) -> None:
    spec = DAGSpec.model_validate({"tasks": {"a": {"image": "x", "when": expression}}})
    assert wanted(spec).made == {"latest"}
    long = f"{'x' * 5_000} $[[ {expression} ]] {'//' * 5_000}"
    assert wanted(DAGSpec.model_validate({"tasks": {"a": {"image": "x", "env": {"A": long}}}})).made == {"latest"}


@pytest.mark.parametrize(
    "expression", ["(run.previous).outputs.x", "run.`previous`.outputs.x", "((run).previous).outputs"]
)
def test_outputs_are_found_however_they_are_written(expression: str) -> None:
    assert define(
        dag(f"has({expression})" if expression.endswith(".x") else f"{expression} == {{}}")
    ).start_values == Wanted(frozenset({"previous"}), outputs=True)


@pytest.mark.parametrize("expression", ["run.`latest`", "(run).latest", "run // why\n.latest"])
def test_what_is_found_is_what_the_compiler_reads(expression: str) -> None:
    assert "run.latest" in compile_in(expression, Scope(Names(), lambda task: False)).names


@pytest.mark.parametrize("text", ["run//" * 200_000, "//run\n" * 200_000, "run " * 250_000])
def test_a_text_full_of_beginnings_is_searched_in_one_go(text: str) -> None:
    """Where each of them was followed to the end of the text, this took hours."""
    spec = DAGSpec.model_validate({"tasks": {"a": {"image": "x"}}})
    assert wanted(spec.model_copy(update={"description": text})) == Wanted()
