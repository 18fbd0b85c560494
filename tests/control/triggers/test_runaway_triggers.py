"""Triggers that lead to each other stop by themselves, and none creates runs faster than it may."""

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.triggers.sources.run_based import MOST_DEEP
from tradewind.kube.labels import TRIGGER_DEPTH
from tradewind.kube.resources import DAGS, RUNS

from control.factworld import START, Body, Operator, Server, server

ORDERS = {"anyOf": [{"name": "orders"}]}


def deep(there: Server, run: str, depth: int, **status: object) -> Body:
    """An ended run to which others led."""
    labels = {TRIGGER_DEPTH: str(depth)} if depth else {}
    there.put(RUNS, {"metadata": {"name": run, "labels": labels}, "spec": {"dag": "a"}})
    return there.ended("a", run, **status)


PRODUCED = [{"name": "orders", "at": "2025-11-24T16:00:00Z"}]


@pytest.mark.parametrize("source", [{"assets": ORDERS}, {"completed": {"dags": [{"name": "a"}]}}])
async def test_a_run_knows_how_many_led_to_it(source: Body) -> None:
    there = server(**source)
    there.now += 1
    deep(there, "by-hand", 0, produced=PRODUCED)
    deep(there, "third", 3, produced=PRODUCED)
    await Operator(there).settle()
    assert sorted(read_run(body).trigger_depth for body in there.made().values()) == [1, 4]


async def test_a_run_of_several_updates_is_as_deep_as_the_deepest() -> None:
    there = server(assets={"allOf": [{"name": "orders"}, {"name": "rates"}]})
    there.now += 1
    deep(there, "one", 2, produced=PRODUCED)
    deep(there, "two", 7, produced=[{**PRODUCED[0], "name": "rates"}])
    await Operator(there).settle()
    assert [read_run(body).trigger_depth for body in there.made().values()] == [8]


@pytest.mark.parametrize("source", [{"assets": ORDERS}, {"completed": {"dags": [{"name": "a"}]}}])
async def test_a_chain_of_runs_ends_at_a_depth_and_the_status_says_why(source: Body) -> None:
    there = server(**source)
    there.now += 1
    deep(there, "last", MOST_DEEP - 1, produced=PRODUCED)
    deep(there, "too-deep", MOST_DEEP, produced=PRODUCED)
    await Operator(there).settle()
    assert [read_run(body).trigger_depth for body in there.made().values()] == [MOST_DEEP]
    [said] = (there.status()[kind] for kind in source)
    assert "16 runs led to it" in said["skipped"] and said["due"] == []


async def test_a_dag_that_updates_its_own_asset_stops() -> None:
    """DAG `d` produces what its trigger waits for, and nobody notices."""
    there = server(assets=ORDERS)
    there.now += 1
    deep(there, "by-hand", 0, produced=PRODUCED)
    operator = Operator(there)
    for _ in range(2 * MOST_DEEP):
        await operator.settle()
        there.now += 1
        for body in list(there.made().values()):
            if not body.get("status"):
                body["status"] = {"phase": "Succeeded", "produced": PRODUCED}
                operator.hear(there.put(RUNS, body))
        assert len(there.made()) <= MOST_DEEP
    assert len(there.made()) == MOST_DEEP


async def test_what_is_over_the_rate_waits_and_the_status_says_so() -> None:
    there = server(assets=ORDERS, maxPerMinute=3)
    there.now += 1
    for at in range(8):
        there.produced(f"r-{at}", "orders")
    operator = Operator(there)
    await operator.settle()
    assert len(there.made()) == 3 and there.status()["phase"] == "Active"
    assert there.status()["message"] == "it creates at most 3 runs a minute (spec.maxPerMinute): 5 wait"
    there.now += 30
    await operator.settle()
    assert len(there.made()) == 3
    there.now += 31
    await operator.settle()
    assert len(there.made()) == 6
    there.now += 61
    await operator.settle()
    assert len(there.made()) == 8 and there.status()["message"] == ""


async def test_an_operator_that_starts_counts_what_was_made_before() -> None:
    there = server(assets=ORDERS, maxPerMinute=3)
    there.now += 1
    for at in range(8):
        there.produced(f"r-{at}", "orders")
    await Operator(there).settle()
    for body in there.made().values():
        body["status"] = {"phase": "Running"}
    there.now += 20
    later = Operator(there)
    for body in there.made().values():
        later.triggers.run_seen(read_run(body))
    await later.settle()
    assert len(there.made()) == 3 and there.now == START + 21


async def test_a_clock_that_is_set_stops_no_trigger_for_longer_than_a_minute() -> None:
    there = server(assets=ORDERS, maxPerMinute=1)
    there.now += 1
    for at in range(2):
        there.produced(f"r-{at}", "orders")
    operator = Operator(there)
    await operator.settle()
    there.now -= 3_600
    await operator.settle()
    assert len(there.made()) == 1
    there.now += 61
    await operator.settle()
    assert len(there.made()) == 2


def circular(there: Server, trigger: str) -> str:
    """The condition of a trigger."""
    conditions = there.status(trigger)["conditions"]
    return next((item["message"] for item in conditions if item["type"] == "Circular"), "")


async def test_a_trigger_in_a_circle_says_so_in_a_condition_as_long_as_it_is() -> None:
    there = server(assets=ORDERS)
    there.trigger("back", dag="a", completed={"dags": [{"name": "d"}]})
    task = {"image": "x", "produces": [{"name": "orders"}]}
    dag = there.put(DAGS, {"metadata": {"name": "a"}, "spec": {"tasks": {"t": task}}})
    operator = Operator(there)
    for name in ("a", "d"):
        operator.triggers.dags.seen(there.objects[DAGS.plural, "ns", name], False)
    for name in ("t", "back"):
        await operator.settle(name)
        assert "in a cycle" in circular(there, name)
    assert "DAG ns/d -> its end, trigger ns/back -> DAG ns/a -> asset orders, trigger ns/t" in circular(there, "t")
    operator.triggers.dags.seen(there.put(DAGS, {**dag, "spec": {"tasks": {}}}), False)
    await operator.settle("t")
    assert circular(there, "t") == ""
