"""Labels that a DAG gives its runs: what is refused before, and what a run gets."""

from typing import Any

import pytest
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.starts.run_labels import rendered

PARAMS = {
    "region": {},
    "day": {"type": "integer", "default": 3},
    "key": {"type": "secret", "default": {"name": "s", "key": "k"}},
}
VALUE = "write the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def dag(**labels: Any) -> dict[str, Any]:
    return {"tasks": {"a": {"compute": {"n": "1"}}}, "params": PARAMS, "runLabels": labels}


def problems(spec: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        define(spec)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            {"a b": "x"},
            "spec.runLabels.a b: not the key of a label; write the key of a label, such as app or example.com/app",
        ),
        ({"x" * 64: "x"}, "not the key of a label"),
        ({"/x": "x"}, "not the key of a label"),
        ({"tradewind.dev/team": "x"}, "spec.runLabels.tradewind.dev/team: only Tradewind sets labels with this prefix"),
        ({"pool.tradewind.dev/x": "x"}, "only Tradewind sets labels with this prefix; use another one, or none"),
        (
            {"team": "data & co"},
            f"spec.runLabels.team: 'data & co' is not the value of a label; at most 63 characters; {VALUE}",
        ),
        ({"team": "x" * 64}, "is not the value of a label"),
        ({"team": 1}, 'spec.runLabels.team: 1 without quotes is a number, not text; write "1"'),
        ({"r": "$[[ params.regoin ]]"}, "there is no params.regoin; did you mean params.region?"),
        ({"r": "$[[ params.key ]]"}, "params.key is a secret"),
        ({"r": "$[[ tasks.a.outputs.n ]]"}, "spec.runLabels.r: "),
        ({"r": "$[[ run.latest ]]"}, "run.latest is known to runs that have started only"),
        ({"r": "$[[ params.region"}, "`$[[` without `]]`: close the expression"),
        ({f"l{number}": "x" for number in range(17)}, "spec.runLabels: "),
    ],
)
def test_what_no_run_can_have_is_refused_before(labels: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(dag(**labels))), problems(dag(**labels))


def values(region: str) -> dict[str, Any]:
    return {"params.region": region, "params.day": 3, "run.date": "2026-05-01"}


def labels_of(of: str, **labels: str) -> dict[str, str]:
    definition = define(dag(**labels))
    return dict(rendered(definition.spec.run_labels, definition.waiting_scope, values(of)))


def test_labels_are_texts_made_of_params_and_facts_of_the_run() -> None:
    given = {
        "region": "$[[ params.region ]]",
        "day": "d$[[ params.day ]]",
        "example.com/on": "$[[ run.date ]]",
        "team": "a",
    }
    assert labels_of("north", **given) == {"region": "north", "day": "d3", "example.com/on": "2026-05-01", "team": "a"}
    assert labels_of("", region="$[[ params.region ]]") == {"region": ""}


@pytest.mark.parametrize("region", ["north east", "-north", "n" * 64, "nörth"])
def test_a_value_that_no_label_can_have_is_told_with_its_field(region: str) -> None:
    with pytest.raises(Invalid, match=r"spec\.runLabels\.region: '.*' is not the value of a label; at most 63"):
        labels_of(region, region="$[[ params.region ]]")


def test_an_expression_that_fails_is_told_with_its_field() -> None:
    with pytest.raises(Invalid, match=r"spec\.runLabels\.part: "):
        labels_of("north", part="$[[ params.region.split('-')[1] ]]")
