"""However many mistakes a document has: the cost of finding them and of suggestions stays bounded, with pauses for
other work."""

import random
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any

import pytest
from tradewind.control.dags.validation import review
from tradewind.model.base import MAX_DEPENDENCIES
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.dags.compile import define
from tradewind.plan.documents import budget, nearest
from tradewind.plan.documents.budget import COMPARISONS
from tradewind.plan.documents.nearest import COMPARED, listed
from tradewind.plan.documents.problem import ENOUGH, Invalid, Problem, at_most
from tradewind.plan.documents.read import ROUNDS
from tradewind.plan.expressions.misses import missing
from tradewind.plan.expressions.typed_values import resolve

RNG = random.Random(1)
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789" * 2


class Counting(pacing.Pace):
    """Counts comparisons of names, all and those between two pauses."""

    spent = False

    def __init__(self) -> None:
        self.comparisons = self.pauses = self.stretch = self.longest = 0

    def pause(self) -> None:
        self.pauses += 1
        self.stretch = 0

    def compared(self) -> None:
        self.comparisons += 1
        self.stretch += 1
        self.longest = max(self.longest, self.stretch)

    def evaluate(self, evaluation: pacing.Evaluation) -> Any:
        raise AssertionError("nothing is evaluated")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    found, ratio = Counting(), SequenceMatcher.ratio

    def counted(self: SequenceMatcher[str]) -> float:
        found.compared()
        return ratio(self)

    monkeypatch.setattr(SequenceMatcher, "ratio", counted)
    return found


def word() -> str:
    """A name with the same letters as all others, in another order: only a comparison distinguishes them."""
    return "a" + "".join(RNG.sample(LETTERS, 62))


def done(work: Callable[[], Any], counting: Counting) -> list[Problem]:
    with pacing.at(counting):
        try:
            work()
        except Invalid as error:
            return error.problems
    return []


def far(names: int, tasks: int, expressions: int) -> dict[str, Any]:
    """Tasks far upstream of others, whose expressions name unknown tasks."""
    above = [word() for _ in range(names)]
    hubs = {f"h{at}": {"compute": {"a": "1"}, "dependsOn": above[at : at + 100]} for at in range(0, names, 100)}
    wrong = {
        f"z{task}": {
            "compute": {f"k{at}": f"tasks.{word()}.outputs.a" for at in range(expressions)},
            "dependsOn": [*hubs],
        }
        for task in range(tasks)
    }
    return {"tasks": {**{name: {"compute": {"a": "1"}} for name in above}, **hubs, **wrong}}


def test_a_document_has_a_budget_of_guesses(counting: Counting) -> None:
    problems = done(lambda: define(far(300, 3, 32)), counting)
    assert len(problems) == 3 * 32 and 0 < counting.comparisons <= COMPARISONS
    assert counting.longest == 1, "others go on between two comparisons"


def test_dependencies_on_nothing_share_the_budget(counting: Counting) -> None:
    tasks: dict[str, Any] = {word(): {"compute": {"a": "1"}} for _ in range(300)}
    tasks["z"] = {"compute": {"a": "1"}, "dependsOn": [word() for _ in range(MAX_DEPENDENCIES)]}
    problems = done(lambda: define({"tasks": tasks}), counting)
    assert 0 < counting.comparisons <= COMPARISONS and counting.longest == 1
    assert [problem.path for problem in problems][:2] == ["spec.tasks.z.dependsOn[0]", "spec.tasks.z.dependsOn[1]"]
    assert len(problems) == ENOUGH + 1 and str(problems[-1]).startswith(f"spec: more than {ENOUGH} problems")


def test_params_that_nobody_declares_share_the_budget(counting: Counting) -> None:
    declared = {word(): Param(type="string", default="") for _ in range(300)}
    problems = []
    with pacing.at(counting):
        problems += resolve(declared, {word(): 1 for _ in range(500)})[1]
    assert 0 < counting.comparisons <= COMPARISONS and counting.longest == 1
    assert len(problems) == ENOUGH + 1 and all(len(str(problem)) < 3_000 for problem in problems)


def test_one_guess_compares_few_names_and_finds_the_one_that_is_meant(counting: Counting) -> None:
    names = [word() for _ in range(nearest.SEEN - 1)]
    meant = names[1_000]
    for wrong in (meant[:30] + "x" + meant[31:], meant[1:], meant[:-1], meant[:5] + meant[6:], "x" + meant):
        before = counting.comparisons
        assert nearest.nearest(wrong, names) == meant
        assert counting.comparisons - before <= COMPARED


def test_a_guess_after_the_budget_is_spent_is_none() -> None:
    with budget.document():
        guesses = [nearest.nearest("loda", [f"load{letter}" for letter in "abcdefghij"]) for _ in range(COMPARISONS)]
        assert guesses[0] and not guesses[-1]
        with budget.document():
            assert not nearest.nearest("loda", ["load"])
    assert nearest.nearest("loda", ["load"]) == "load"


def test_unknown_fields_are_left_out_all_at_once(counting: Counting) -> None:
    fields = 3_000
    problems = done(lambda: define({"tasks": {"a": {"image": "x", **{f"u{n}": n for n in range(fields)}}}}), counting)
    assert len(problems) == ENOUGH + 1
    assert str(problems[0]).startswith("spec.tasks.a.u0: unknown field")
    assert str(problems[-1]).startswith("spec.tasks.a: more than")
    assert counting.pauses > fields and ROUNDS * fields > counting.comparisons


def test_a_default_that_is_wrong_in_every_task_is_told_so_often(counting: Counting) -> None:
    template = {"spec": {f"u{n}": n for n in range(10)}}
    tasks = {f"t{n}": {"command": ["a"], "script": {"shell": "{{ inputs.x }}"}} for n in range(ENOUGH + 1)}
    with pacing.at(counting):
        problems = review("DAG", {"defaults": {"image": "x", "podTemplate": template}, "tasks": tasks}).problems
    pods = [problem for problem in problems if "a pod has no such field" in problem.what]
    scripts = [problem for problem in problems if "is not evaluated in a script" in problem.what]
    assert len(pods) == len(scripts) == ENOUGH


def test_problems_are_looked_for_until_there_are_enough() -> None:
    looked = 0

    def endless() -> Any:
        nonlocal looked
        while True:
            looked += 1
            yield Problem("spec", "wrong")

    assert len([*at_most(endless(), "spec")]) == ENOUGH + 1 == looked
    assert [*at_most([Problem("a", "b")], "spec")] == [Problem("a", "b")]


def test_lists_of_names_have_an_end() -> None:
    assert listed([]) == "none" and listed(["b", "a"]) == "a, b"
    assert listed(f"n{at:03}" for at in range(300)).endswith("n019, and 280 more")


def test_inputs_of_a_failed_expression_are_those_that_it_names() -> None:
    values = {"params.a": 1, "params.ab": 2, "params.c": "x", "tasks.t.outputs": {"k": 1}, "run.name": "r"}
    words = missing("no such overload", "params.a + x.params.c + tasks.t.outputs.k > 1", values)
    assert words.endswith("inputs: params.a: integer, tasks.t.outputs: {k: integer}")
