"""What is wrong with a trigger, with its field; and what it gives to a run."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.triggers.trigger import Firing, check, given, occasion, told

PARAMS = {"day": Param(type="string"), "n": Param(type="integer", default=1)}
TICK = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"))


def trigger(schedule: Any = None, **spec: Any) -> TriggerSpec:
    return TriggerSpec.model_validate({"dag": "d", "schedule": schedule or {"cron": "@daily"}, **spec})


WRONG = [
    ({"when": "run.date >"}, "spec.when: `run.date >`"),
    ({"when": "run.date"}, "spec.when: `run.date`: gives a string, not true or false"),
    ({"when": "params.n > 1"}, "spec.when: `params.n > 1`"),
    (
        {"params": {"day": "$[[ run.dte ]]"}},
        "there is no 'run.dte'; there are trigger.name, trigger.namespace, run.dag, run.logicalDate",
    ),
    ({"params": {"day": "$[[ run.date"}}, "spec.params.day: `$[[ run.date`: `$[[` without `]]`"),
    ({"params": {"day": "x", "region": "north"}}, "spec.params.region: no such param; DAG d declares: day, n"),
    ({"params": {"day": "x", "n": "many"}}, "spec.params.n: 'many' is not an integer; write an integer"),
    ({}, "spec.params.day: required; give a string: DAG d has no default for it"),
    (
        {"params": {"day": "x"}, "schedule": {"cron": "0 0 31 2 *"}},
        "spec.schedule.cron: '0 0 31 2 *' matches no existing day",
    ),
]


@pytest.mark.parametrize(("spec", "words"), WRONG)
def test_what_is_wrong_is_told_with_its_field(spec: dict[str, Any], words: str) -> None:
    assert words in "\n".join(map(str, check(trigger(**spec), PARAMS)))


FOLLOWING = [
    ({"dags": [{"name": "d"}]}, "spec.completed.dags[0].name: a DAG whose runs start others of it would never stop"),
    ({"dags": [{"name": "a"}, {"name": "a"}]}, "spec.completed.dags[1]: 'a' is there twice"),
    ({"dags": [{"name": "a"}], "atLeast": 2}, "spec.completed.atLeast: is larger than the number of dags, 1"),
    (
        {"dags": [{"name": "a", "when": "source.rows > 1"}]},
        "spec.completed.dags[0].when: `source.rows > 1` (at character 7): there is no 'source.rows'; there are",
    ),
    ({"dags": [{"name": "a", "when": "source.run"}]}, "gives a string, not true or false"),
]


@pytest.mark.parametrize(("completed", "words"), FOLLOWING)
def test_what_is_wrong_with_the_dags_that_it_follows_is_told(completed: dict[str, Any], words: str) -> None:
    spec = TriggerSpec.model_validate({"dag": "d", "completed": completed})
    assert words in "\n".join(map(str, check(spec, None)))


def test_params_are_not_judged_before_the_dag_is_known() -> None:
    assert check(trigger(params={"region": "north"}), None) == []
    assert check(trigger(params={"day": "$[[ run.date ]]"}), PARAMS) == []


def test_a_run_is_given_its_params_typed_and_its_dates() -> None:
    spec = trigger(params={"day": "$[[ run.date ]]", "n": "$[[ size(run.dag) ]]", "text": "of $[[ trigger.name ]]"})
    found = given("nightly", "ns", spec, Firing("x", "schedule", TICK, datetime(2026, 10, 24, 0, 30, tzinfo=UTC), TICK))
    assert found is not None
    assert found.params == {"day": "2026-10-25", "n": 1, "text": "of nightly"}
    assert (found.logical_date, found.interval_start) == ("2026-10-25T02:30:00+02:00", "2026-10-24T00:30:00Z")
    assert found.interval_end == found.logical_date


def test_nothing_is_run_where_when_is_false() -> None:
    spec = trigger(when='!run.date.endsWith("-25")')
    assert given("t", "ns", spec, Firing("x", "schedule", TICK)) is None
    assert given("t", "ns", spec, Firing("x", "schedule", TICK.replace(day=26))) is not None


def test_a_param_that_can_not_be_computed_names_its_field() -> None:
    with pytest.raises(ExpressionError, match=r"spec\.params\.day"):
        given("t", "ns", trigger(params={"day": "$[[ 1 / (size(run.dag) - 1) ]]"}), Firing("x", "schedule", TICK))


def test_the_same_occasion_has_the_same_suffix_and_another_has_another() -> None:
    assert occasion("event", "a") == occasion("event", "a") != occasion("event", "b")
    assert occasion("a", "b") != occasion("ab") and len(occasion("a")) == 15 and occasion("a").isalnum()


def test_points_in_time_keep_their_zone() -> None:
    assert told(TICK) == "2026-10-25T02:30:00+02:00"
    assert told(TICK.replace(fold=1)) == "2026-10-25T02:30:00+01:00"
    assert told(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/London"))) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("assets", "words"),
    [
        ({}, "spec.assets: needs one list of assets; write anyOf or allOf"),
        ({"anyOf": [{"name": "a"}], "allOf": [{"name": "b"}]}, "spec.assets: needs one list of assets"),
        ({"allOf": [{}]}, "spec.assets.allOf[0]: names no one thing; write one of name, anyOf and allOf"),
        ({"anyOf": [{"name": "a", "allOf": ["b"]}]}, "spec.assets.anyOf[0]: names no one thing"),
    ],
)
def test_what_is_wrong_with_the_assets_that_it_waits_for_is_told(assets: dict[str, Any], words: str) -> None:
    spec = TriggerSpec.model_validate({"dag": "d", "assets": assets})
    assert words in "\n".join(map(str, check(spec, None)))
