"""The updates of assets by a successful task."""

from collections.abc import Mapping
from typing import Any

import pytest
from tradewind.model.asset import Assets
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.planner import Planner
from tradewind.plan.triggers.asset_update import NoUpdate, complete, names, update

from plan.game import defined


def planner(produces: Mapping[str, Any], outputs: Mapping[str, Any], **task: Any) -> Planner:
    """The planner of a run whose task `a` has succeeded once."""
    definition = defined(
        {"a": {"produces": [{"name": "orders", **produces}], **task}}, params={"n": {"type": "integer"}}
    )
    made = Planner(definition, RunFacts("r", "ns", "uid", "d", {"n": 2}))
    made.decide(0.0)
    for key in [unit.key for unit in made.ledger.members("a")]:
        made.tell_outputs(key, outputs)
        made.tell_ended(key, [Attempt(key, 1, 100, 160, "", None, "")], 0.0)
    made.decide(1.0)
    return made


def told(made: Planner, key: str = "a") -> dict[str, Any]:
    unit = made.ledger.units[key]
    return update(made.ledger, unit, 0, made.definition.tasks["a"].produces[0])


def test_values_are_rendered_over_the_tasks_own_outputs_and_params() -> None:
    produces = {
        "partition": "$[[ outputs.day ]]/$[[ params.n ]]",
        "metadata": {"rows": "$[[ outputs.rows * params.n ]]", "of": ["$[[ run.name ]]"]},
    }
    assert told(planner(produces, {"day": "mon", "rows": 3})) == {
        "name": "orders",
        "partition": "mon/2",
        "task": "a",
        "at": "1970-01-01T00:02:40Z",
        "metadata": {"rows": 6, "of": ["r"]},
    }


def test_nothing_is_said_that_is_not_there() -> None:
    assert told(planner({}, {})) == {"name": "orders", "task": "a", "at": "1970-01-01T00:02:40Z"}


def test_each_item_tells_its_own() -> None:
    made = planner({"partition": "$[[ item ]]-$[[ index ]]"}, {}, forEach={"items": ["x", "y"]})
    assert [told(made, f"a[{at}]")["partition"] for at in (0, 1)] == ["x-0", "y-1"]


@pytest.mark.parametrize(
    ("produces", "words"),
    [
        ({"partition": "$[[ outputs.day ]]"}, "produces[0]: `outputs.day`"),
        ({"partition": "x" * 257}, "produces[0].partition: 257 characters, the limit is 256"),
        ({"metadata": {"x": "y" * 1_024}}, "produces[0].metadata: 1032 bytes, the limit is 1024"),
    ],
)
def test_what_can_not_be_told_is_named(produces: Mapping[str, Any], words: str) -> None:
    with pytest.raises(NoUpdate) as caught:
        told(planner(produces, {}))
    assert words in str(caught.value)


def test_clauses_are_any_or_all_of_assets() -> None:
    spec = Assets.model_validate({"allOf": [{"name": "a"}, {"anyOf": ["b", "c"]}, {"allOf": ["d", "a"]}]})
    assert names(spec) == ["a", "b", "c", "d"]
    assert [complete(spec, had) for had in ("abd", "acd", "ab", "bcd", "")] == [True, True, False, False, False]
    either = Assets.model_validate({"anyOf": [{"allOf": ["a", "b"]}, {"name": "c"}]})
    assert [complete(either, had) for had in ("ab", "c", "a", "")] == [True, True, False, False]
