"""Regular expressions and other constants are tried when a document is checked, within a budget that is known in
advance."""

from typing import Any

import pytest
from tradewind.control.dags.validation import review
from tradewind.plan.cel.functions.prices import compiling
from tradewind.plan.dags.compile import define
from tradewind.plan.documents import budget
from tradewind.plan.documents.budget import TRIALS
from tradewind.plan.documents.problem import ENOUGH, Invalid, Problem
from tradewind.plan.expressions import regex
from tradewind.plan.expressions.regex import TOO_DEAR, regex_fault

CLASSES = r"(\pL\pN\pP\pS\pM\pZ\pC)"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def searched(pattern: str, text: str) -> bool:
        found.append(pattern)
        return True

    monkeypatch.setattr(regex, "search", searched)
    return found


def priced(tried: list[str]) -> float:
    return sum(compiling(pattern) for pattern in {*tried})


def dear(tasks: int, each: int) -> dict[str, Any]:
    """Tasks with regular expressions that take long to compile, each different."""
    texts = iter(CLASSES.replace("\\", "\\\\") + f"{{100}}x{{{number}}}" for number in range(tasks * each))
    return {
        "tasks": {
            f"t{task}": {"compute": {f"k{at}": f"''.matches('{next(texts)}')" for at in range(each)}}
            for task in range(tasks)
        }
    }


def test_regular_expressions_of_a_document_share_a_budget(tried: list[str]) -> None:
    problems = review("DAG", dear(10, 40)).problems
    assert tried and priced(tried) <= TRIALS
    assert len(problems) == ENOUGH + 1 and TOO_DEAR in str(problems[0])
    assert str(problems[0]).startswith("spec.tasks.t0.compute.k1")


def test_patterns_of_params_and_outputs_share_it(tried: list[str]) -> None:
    patterns = [f"{CLASSES}{{{number}}}" for number in range(100, 140)]
    typed = {f"p{at}": {"type": "string", "pattern": pattern} for at, pattern in enumerate(patterns)}
    outputs = {f"o{at}": {"type": "string", "pattern": pattern + "x"} for at, pattern in enumerate(patterns[:30])}
    with pytest.raises(Invalid) as caught:
        define({"params": typed, "tasks": {"a": {"image": "x", "outputs": outputs}}})
    assert tried and priced(tried) <= TRIALS
    assert Problem("spec.params.p2.pattern", TOO_DEAR) in caught.value.problems
    assert Problem("spec.tasks.a.outputs.o0.pattern", TOO_DEAR) in caught.value.problems


def test_one_that_is_there_many_times_is_paid_for_once(tried: list[str]) -> None:
    with budget.document():
        assert [regex_fault(CLASSES + "{100}") for _ in range(50)] == [""] * 50
    assert regex_fault(CLASSES + "{1000}") == TOO_DEAR and CLASSES + "{1000}" not in tried


def test_usual_ones_are_tried_however_many_there_are() -> None:
    usual = [rf"^[a-z][a-z0-9-]{{0,{length}}}$|\w+{length}" for length in range(1, 500)]
    with budget.document():
        assert {regex_fault(pattern) for pattern in usual} == {""}
        assert regex_fault("(a").startswith("invalid regular expression: missing )")


def test_other_constants_are_tried_as_long_as_there_is_a_budget() -> None:
    wrong = {"tasks": {"a": {"compute": {"k": "duration('soon') > duration('1s')"}}}}
    with budget.document():
        assert "is not a duration" in str(review("DAG", wrong).problems[0])
        budget.current().trials = 0
        wrong["tasks"]["a"]["compute"] = {"k": "duration('later') > duration('1s')"}
        assert not review("DAG", wrong).problems


@pytest.mark.parametrize(
    "pattern",
    ["[" + "".join(chr(0x800 + 2 * at) for at in range(300)) + "]", "[" + r"\x{800}\x{802}" * 150 + "]"],
    ids=["letters", "escapes"],
)
def test_wide_characters_in_classes_have_a_price(pattern: str) -> None:
    assert compiling(pattern + "{1000}") > 50 * compiling("[a-z]{1000}")
