"""Names of other products' expressions are answered with Tradewind's."""

import pytest
from tradewind.plan.cel import compiler
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.expressions.foreign import _WORDS, advice, equivalent, translated
from tradewind.plan.expressions.scope import _EARLIER, _ENDS, _MADE, _RUN

NAMES = (*_RUN, *_ENDS, *_MADE, *_EARLIER, ("item", "any"))


@pytest.mark.parametrize("theirs", [*_WORDS, "macros.ds_add(ds, 7)", "macros.ds_add(ds, -1)"])
def test_an_equivalent_is_an_expression(theirs: str) -> None:
    try:
        compiler.compiled(equivalent(theirs), NAMES, lambda words: words)
    except ExpressionError as error:
        pytest.fail(f"{equivalent(theirs)}: {error}")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ds", "run.intervalStart.substring(0, 10)"),
        ("dag_run.conf['rows']", "params.rows"),
        ("dag_run.conf.rows", "params.rows"),
        ("workflow.parameters.who", "params.who"),
        ("inputs.parameters.who", "params.who"),
        ("var.value.url", "config.NAME.url"),
        ("var.json.settings.deep['x']", "config.NAME.settings"),
        ("ti.xcom_pull(task_ids='load-it', key='rows')", "tasks.load_it.outputs.rows"),
        ("ti.xcom_pull('load')", "tasks.load.outputs.KEY"),
        ("task_instance.xcom_pull", "tasks.NAME.outputs.KEY"),
        ("steps.flip-coin.outputs.result", "tasks.flip_coin.outputs.KEY"),
        ("steps.a.outputs.parameters.n", "tasks.a.outputs.n"),
        ("tasks.a.status", "tasks.a.state"),
        ("params.x", ""),
        ("x" * 4_000, ""),
    ],
)
def test_an_expression_has_its_equivalent(theirs: str, ours: str) -> None:
    assert equivalent(theirs) == ours


def test_what_has_no_equivalent_is_told_where_to_go() -> None:
    assert "secretKeyRef" in advice("conn.db", "conn.db.host")
    assert "config.NAME.KEY" in advice("var", "'x' + var.value.y")
    assert advice("rows", "rows + 1") == ""


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ds", "run.intervalStart.substring(0, 10)"),
        ("workflow.parameters.rows + inputs.parameters.more", "params.rows + params.more"),
        ("dag_run.conf['rows'] + 1", "params.rows + 1"),
        ("int(ti.xcom_pull(task_ids='load-it', key='rows'))", "tasks.load_it.outputs.rows"),
        ("task_instance.xcom_pull('load') | length", "tasks.load.outputs.KEY"),
        ("rows + 1", "rows + 1"),
    ],
)
def test_what_is_known_of_a_larger_expression_is_translated(theirs: str, ours: str) -> None:
    assert translated(theirs) == ours
