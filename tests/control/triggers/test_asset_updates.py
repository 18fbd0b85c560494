"""Triggers that wait for assets: histories of restarts, faults, late events and deleted runs create exactly the wanted
runs."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.triggers.sources.run_based import AT_ONCE
from tradewind.kube.resources import DAGS, RUNS

from control.factworld import Body, Operator, Server, server

FAULTS = st.lists(st.sampled_from(["", "", "before", "after"]), max_size=4)
MADE = st.tuples(st.just("made"), st.sampled_from(["orders", "rates", "other"]), st.sampled_from(["", "mon", "tue"]))
OTHERS = st.tuples(
    st.sampled_from(["look", "look", "save", "crash", "crash while looking", "hear", "hear", "end", "clean"]),
    st.just(""),
    st.just(""),
)
STEPS = st.lists(st.tuples(st.one_of(MADE, OTHERS), FAULTS, st.integers(0, 5)), max_size=40)
Steps = list[tuple[tuple[str, str, str], list[str], int]]
Update = tuple[str, str, str]
"""Asset, partition and the run that produced it."""


async def play(there: Server, history: Steps, in_order: bool) -> list[Update]:
    """Plays a history; returns the updates, in order. A run produces updates until it ends. If events are not
    `in_order`, they are late and shuffled."""
    operator, updates, unheard, run = Operator(there), list[Update](), list[Body](), 0
    for (what, asset, partition), faults, seed in history:
        there.faults = list(faults)
        match what:
            case "made":
                there.now += 1
                name = f"r-{run}"
                unheard.append(orjson.loads(orjson.dumps(there.produced(name, asset, partition))))
                updates.append((asset, partition, name))
                if in_order:
                    operator.hear(unheard.pop())
            case "end" if (RUNS.plural, "ns", f"r-{run}") in there.objects:
                there.now += 1
                produced = there.objects[RUNS.plural, "ns", f"r-{run}"]["status"]["produced"]
                operator.hear(there.ended("a", f"r-{run}", produced=produced))
                run += 1
            case "hear" if unheard:
                operator.hear(unheard.pop(seed % len(unheard)))
            case "look":
                await operator.look()
            case "save":
                await operator.save()
            case "clean":
                operator.clean()
            case "crash" | "crash while looking":
                if what == "crash while looking":
                    await operator.look()
                operator = Operator(there)
                unheard.clear()
    there.faults = []
    for body in unheard:
        operator.hear(body)
    for _ in range(4):
        await operator.look()
        await operator.save()
    return updates


def cause(*updates: Update) -> str:
    return ", ".join(
        f"asset {asset}{f' {partition}' if partition else ''} of DAGRun {run}, task load"
        for asset, partition, run in updates
    )


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_each_update_makes_one_run_in_whatever_order_it_is_heard_of(history: Steps) -> None:
    there = server(assets={"anyOf": [{"name": "orders"}, {"name": "rates"}]})
    updates = asyncio.run(play(there, history, in_order=False))
    assert sorted(there.causes()) == sorted(cause(update) for update in updates if update[0] != "other")


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_all_makes_a_run_of_a_partition_whenever_all_its_assets_were_updated_since_the_last(history: Steps) -> None:
    there = server(assets={"allOf": [{"name": "orders"}, {"name": "rates"}]})
    updates = asyncio.run(play(there, history, in_order=True))
    wanted, last = [], dict[tuple[str, str], Update]()
    for update in updates:
        asset, partition, _ = update
        other = last.get(({"orders": "rates", "rates": "orders"}.get(asset, ""), partition))
        if other:
            wanted.append(cause(update, other))
            del last[other[:2]]
            last.pop((asset, partition), None)
        elif asset != "other":
            last[asset, partition] = update
    assert sorted(there.causes()) == sorted(wanted)


async def test_a_run_knows_the_updates_that_it_was_made_for() -> None:
    params = {
        "day": "$[[ asset.partition ]]",
        "rows": "$[[ asset.metadata.rows ]]",
        "text": "$[[ asset.name ]] of $[[ asset.dag ]]/$[[ asset.run ]]/$[[ asset.task ]], $[[ assets['rates'].metadata.of ]]",
    }
    there = server(assets={"allOf": [{"name": "orders"}, {"name": "rates"}]}, params=params)
    declared = {name: {"type": "integer" if name == "rows" else "string"} for name in params}
    there.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}, "params": declared}})
    there.produced("r-1", "rates", "mon", of="ecb")
    there.now += 1
    there.produced("r-2", "orders", "tue", rows=1)
    there.produced("r-2", "orders", "mon", rows=7)
    await Operator(there).settle()
    [run] = there.made().values()
    assert run["spec"]["params"] == {"day": "mon", "rows": 7, "text": "orders of a/r-2/load, ecb"}
    assert run["metadata"]["labels"]["tradewind.dev/trigger-type"] == "asset"
    said: dict[str, Any] = there.status()["assets"]
    assert {item["name"]: item["latestRun"] for item in said["sources"]} == {"orders": "r-2", "rates": "r-1"}
    assert [(fact["source"], fact["partition"]) for fact in said["pending"]] == [("orders", "tue")]


async def test_clauses_nest_once() -> None:
    there = server(assets={"allOf": [{"name": "orders"}, {"anyOf": ["rates", "guess"]}]})
    operator = await Operator(there).settle()
    for run, asset in enumerate(("guess", "guess", "orders", "orders", "rates")):
        there.now += 1
        operator.hear(there.produced(f"r-{run}", asset))
        await operator.settle()
    assert [name.partition(" of")[0] for name in there.causes()] == ["asset orders", "asset rates"]


async def test_runs_of_an_occasion_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"asset-{number}" for number in range(30)]
    there = server(assets={"allOf": [{"allOf": names[:15]}, {"allOf": names[15:]}]})
    operator = await Operator(there).settle()
    for number, name in enumerate(names):
        there.now += 1
        operator.hear(there.produced(f"r-{number}", name, ""))
    reading, most = 0, 0
    get = Server.get

    async def counted(self: Server, *what: Any) -> Any:
        nonlocal reading, most
        reading += what[0] is RUNS
        most = max(most, reading)
        await asyncio.sleep(0)
        reading -= what[0] is RUNS
        return await get(self, *what)

    monkeypatch.setattr(Server, "get", counted)
    await operator.settle()
    assert there.made() and 1 < most <= AT_ONCE
