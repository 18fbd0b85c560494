"""Names of pools that depend on the run."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.pool import PoolClaim
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.runs.decision import RunFacts
from tradewind.plan.runs.planner import Planner
from tradewind.plan.starts import pool_names

REGION = {"region": {"type": "string", "default": "north"}}
LOCK = {"name": "erp-$[[ params.region ]]"}


def _dag(*claims: Any, **params: Any) -> Any:
    return define({"params": params or REGION, "tasks": {"a": {"image": "x", "pools": [*claims]}}})


def _names(definition: Any, **params: Any) -> list[str]:
    values = {f"params.{name}": value for name, value in params.items()}
    found = pool_names.claims(definition.tasks, definition.waiting_scope, values)
    return [claim.name for claim in found.get("a", ())]


def test_a_name_is_rendered_and_the_rest_of_the_claim_stays() -> None:
    definition = _dag({**LOCK, "slots": 3}, {"name": "all", "kind": "ClusterPool"})
    assert _names(definition, region="south") == ["erp-south", "all"]
    found = pool_names.claims(definition.tasks, definition.waiting_scope, {"params.region": "south"})
    assert found["a"][0] == PoolClaim(name="erp-south", slots=3)


def test_a_task_without_expressions_is_as_it_is_written() -> None:
    assert _names(_dag({"name": "erp"}), region="south") == []


def test_the_starts_of_a_run_claim_its_pools() -> None:
    facts = RunFacts("r", "n", "u", "d", params={"region": "south"})
    plan = Planner(_dag(LOCK), facts, began=0.0).decide(0.0)
    assert [claim.name for start in plan.starts for claim in start.pools] == ["erp-south"]
    assert [claim.name for claims in plan.wanting for claim in claims] == ["erp-south"]


@pytest.mark.parametrize("region", ["So_uth", "a/b", "../x", "", "x" * 64, "é"])
def test_what_is_no_name_is_refused_and_claims_nothing_that_there_is(region: str) -> None:
    definition = _dag({"name": "$[[ params.region ]]"})
    with pytest.raises(Invalid, match=r"spec.tasks.a.pools\[0\].name: .*not the name of a pool"):
        pool_names.check(definition.tasks, definition.waiting_scope, {"params.region": region})
    assert _names(definition, region=region) == [pool_names.UNKNOWN]


def test_an_expression_that_fails_is_told() -> None:
    definition = _dag({"name": "$[[ params.o.region ]]"}, o={"type": "object", "default": {}})
    with pytest.raises(Invalid, match="there is no key 'region'"):
        pool_names.check(definition.tasks, definition.waiting_scope, {"params.o": {}})


@settings(max_examples=200)
@given(st.text(max_size=80))
def test_a_claim_never_has_a_name_that_no_pool_can_have(region: str) -> None:
    (name,) = _names(_dag({"name": "$[[ params.region ]]"}), region=region)
    assert name in (region, pool_names.UNKNOWN)
    assert all(char.isascii() and (char.isalnum() or char == "-") for char in name) and len(name) <= 63


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("$[[ params.regoin ]]", "there is no params.regoin"),
        ("$[[ tasks.b.outputs.x ]]", "there is no"),
        ("$[[ params.region", "spec.tasks.a.pools"),
        ("ERP", "not the name"),
    ],
)
def test_a_name_that_can_not_be_computed_is_told_when_applied(name: str, words: str) -> None:
    with pytest.raises(Invalid) as raised:
        _dag({"name": name})
    assert words in str(raised.value) or "pools[0].name" in str(raised.value)


def test_names_have_few_different_expressions() -> None:
    def tasks(count: int) -> Any:
        return {f"t{n}": {"image": "x", "pools": [{"name": f"p{n}-$[[ params.region ]]"}]} for n in range(count)}

    define({"params": REGION, "tasks": tasks(pool_names.MOST_NAMES)})
    with pytest.raises(Invalid, match="more than 4 different expressions"):
        define({"params": REGION, "tasks": tasks(pool_names.MOST_NAMES + 1)})


@pytest.mark.parametrize(
    "name", ["p-$[[ run.startedAt ]]", "p-$[[ run.attempt ]]", "$[[ run.startedAt == '' ? 'lic' : 'Not A Name' ]]"]
)
def test_a_name_is_the_same_before_the_run_starts_and_after(name: str) -> None:
    definition = _dag({"name": name})
    values = {"params.region": "north", "run.startedAt": "2026-05-01T00:00:00Z", "run.attempt": 1}
    with pytest.raises(Invalid, match="has no value"):
        pool_names.check(definition.tasks, definition.waiting_scope, values)


def test_a_pool_is_claimed_once_by_a_task() -> None:
    definition = _dag({"name": "erp-north"}, LOCK)
    with pytest.raises(Invalid, match="'erp-north' is claimed twice by this task"):
        pool_names.check(definition.tasks, definition.waiting_scope, {"params.region": "north"})
    pool_names.check(definition.tasks, definition.waiting_scope, {"params.region": "south"})
    other = _dag({"name": "erp-north", "kind": "ClusterPool"}, LOCK)
    pool_names.check(other.tasks, other.waiting_scope, {"params.region": "north"})


def test_names_are_not_evaluated_in_a_run_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(_dag(LOCK), RunFacts("r", "n", "u", "d", params={"region": "south"}), began=0.0)
    monkeypatch.setattr(pool_names, "claims", None)
    planner.cancel(terminate=True)
    assert planner.decide(0.0).phase == "Cancelled"
