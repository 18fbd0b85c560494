"""Backfills: runs for past ticks, each once, even if the operator dies; retried, previewed, suspended and cancelled."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import Invalid
from tradewind.kube.labels import BACKFILL, HOW
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS
from worlds.world import Body, World, eventually, printed

TODAY = datetime.now(UTC).date()
DAY = {"a": {"compute": {"date": "run.date"}}}


def day(before: int) -> str:
    return f"{TODAY - timedelta(days=before)}"


def nightly(dag: str) -> Body:
    spec = {"dag": dag, "schedule": {"cron": "0 0 * * *"}}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": f"{dag}-t"}, "spec": spec}


def backfill(name: str, dag: str, **fields: Any) -> Body:
    spec = {"dag": dag, **fields}
    return {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": {"name": name}, "spec": spec}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{BACKFILL}{name}")
    return sorted(found["items"], key=lambda run: str(run["spec"].get("logicalDate")))


async def until(world: World, client: Client, name: str, phase: str, seconds: float = 200) -> Body:
    status: Body = {}

    async def there() -> bool:
        nonlocal status
        status = (await client.get(BACKFILLS, world.namespace, name)).get("status") or {}
        return status.get("phase") == phase

    try:
        await eventually(there, seconds)
    except TimeoutError:
        raise AssertionError(f"not {phase}: {status}") from None
    return status


async def test_every_missing_tick_gets_one_run_over_the_operators_death_and_none_that_has_one(world: World) -> None:
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("gap", DAY, history={"succeeded": {"limit": 1}}))
        await world.create(client, TRIGGERS, nightly("gap"))
        name = f"gap-t-{TODAY - timedelta(days=3):%Y%m%d}-0000"
        there = {"dag": "gap", "logicalDate": f"{day(3)}T00:00:00Z"}
        metadata = {"name": name, "labels": {HOW: "schedule"}}
        await world.create(
            client, RUNS, {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": metadata, "spec": there}
        )
        fields = {"trigger": "gap-t", "start": day(12), "end": day(1), "parallelism": 2}
        await world.create(client, BACKFILLS, backfill("gap", "gap", **fields))
        for target in (3, 7):
            with world.operator():

                async def more(target: int = target) -> bool:
                    return len(await runs(world, client, "gap")) >= target

                await eventually(more)
        with world.operator():
            status = await until(world, client, "gap", "Succeeded")
            assert (status["progress"], status["kept"], status["failed"]) == ("11/11", 1, 0)

            async def history() -> (
                bool
            ):  # runs that the backfill still counted on were kept; now the DAG's history deletes them
                return len(await runs(world, client, "gap")) <= 1

            last = (await runs(world, client, "gap"))[-1]
            await eventually(history)
        assert last["metadata"]["labels"][HOW] == "backfill"
        assert last["spec"]["priority"] == -1000
        assert last["status"]["outputs"] == {"a": {"date": last["spec"]["logicalDate"][:10]}}


async def test_failed_runs_are_tried_again_in_place_and_cancelled_ones_run_anew(operated: World) -> None:
    async with operated.client() as client:
        fails = {"a": {"image": "python:3.11-slim", "command": ["python", "-c", "raise SystemExit(1)"]}}
        await operated.create(client, DAGS, operated.dag("fails", fails))
        first = backfill("first", "fails", ticks=[day(2)])
        await operated.create(client, BACKFILLS, first)
        status = await until(operated, client, "first", "Failed")
        [name] = status["failures"]
        await operated.create(client, BACKFILLS, backfill("second", "fails", ticks=[day(2), day(1)], runs=["Failed"]))
        status = await until(operated, client, "second", "Failed")
        assert (status["progress"], status["kept"], status["failures"]) == ("1/1", 1, [name])
        run = await client.get(RUNS, operated.namespace, name)
        assert run["spec"]["retryFailed"] == run["status"]["retried"] == 1


async def test_a_dry_run_says_what_it_would_do_and_does_it_when_told_to(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("dry", DAY))
        body = backfill("dry", "dry", cron="@daily", start=day(3), dryRun=True)
        await operated.create(client, BACKFILLS, body)
        status = await until(operated, client, "dry", "DryRun")
        assert "it would create 4 runs" in status["message"]
        assert [item["action"] for item in status["preview"]] == ["Create"] * 4
        assert await runs(operated, client, "dry") == []
        await client.patch(BACKFILLS, operated.namespace, "dry", {"spec": {"dryRun": False}})
        assert (await until(operated, client, "dry", "Succeeded"))["progress"] == "4/4"


async def test_it_can_be_suspended_resumed_and_cancelled(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("slow", {"a": {"wait": {"duration": "1h"}}}, maxActiveRuns=1))
        await operated.create(client, BACKFILLS, backfill("slow", "slow", cron="@daily", start=day(9), parallelism=2))

        async def two() -> bool:
            phases = [(run.get("status") or {}).get("phase") for run in await runs(operated, client, "slow")]
            return phases == ["Running", "Running"]  # maxActiveRuns does not delay them

        await eventually(two)
        printed_ = await asyncio.to_thread(printed, operated, "suspend", "backfill/slow")
        assert "backfill/slow is suspended" in printed_
        assert (await until(operated, client, "slow", "Suspended"))["active"] == 2
        await asyncio.to_thread(printed, operated, "resume", "backfill/slow")
        await until(operated, client, "slow", "Running")
        await asyncio.to_thread(printed, operated, "cancel", "backfill/slow")
        status = await until(operated, client, "slow", "Cancelled")
        assert (status["failed"], status["remaining"]) == (2, 8)
        assert "cancelled" in await asyncio.to_thread(printed, operated, "get", "backfills")


async def test_the_command_shows_what_it_will_do_and_follows_it(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("sales", DAY, params={"region": {"type": "string"}}))
        body = nightly("sales")
        body["spec"]["params"] = {"region": "north"}
        await operated.create(client, TRIGGERS, body)
        args = ["backfill", "sales", "--start", day(2), "--end", day(1), "-p", "region=south"]
        preview = await asyncio.to_thread(printed, operated, *args, "--dry-run")
        assert f"sales-t-{TODAY - timedelta(days=2):%Y%m%d}-0000" in preview and "2 ticks: create 2 runs" in preview
        found = (await client.list(BACKFILLS, operated.namespace, fieldSelector="spec.dag=sales"))["items"]
        assert found == []
        done = await asyncio.to_thread(printed, operated, *args, "--name", "sales", "--watch")
        assert "Succeeded 2/2: 2 runs succeeded, 0 failed" in done
        assert [run["spec"]["params"] for run in await runs(operated, client, "sales")] == [{"region": "south"}] * 2
        again = await asyncio.to_thread(printed, operated, *args)
        assert "2 ticks: do nothing; 2 are left as they are" in again


async def test_the_plan_tells_what_comes_and_how_long_it_usually_takes(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(
            client, DAGS, operated.dag("planned", {"a": {"wait": {"duration": "2s"}}}, maxActiveRuns=1)
        )
        await operated.finished(client, await operated.start(client, "planned"))
        await operated.create(client, TRIGGERS, nightly("planned"))
        off = nightly("planned")
        off["metadata"]["name"], off["spec"]["suspend"] = "planned-off", True
        await operated.create(client, TRIGGERS, off)
        today = datetime.now(UTC).date()
        said = await asyncio.to_thread(printed, operated, "plan", "--next", "48h", "--dag", "planned", "-o", "json")
        found = json.loads(said)
        first = found["runs"][0]["tick"]
        assert first in {f"{today + timedelta(days=days)}T00:00:00Z" for days in (1, 2)}, (
            "midnight may have come between"
        )
        assert [run["tick"] for run in found["runs"][1:]] == [
            f"{date.fromisoformat(first[:10]) + timedelta(days=1)}T00:00:00Z"
        ]
        assert all(run["trigger"] == "planned-t" and 1 <= run["expectedSeconds"] <= 30 for run in found["runs"])
        assert "trigger planned-off is suspended" in found["notes"]
        table = await asyncio.to_thread(printed, operated, "plan", "--dag", "planned")
        assert "T00:00:00Z" in table and "TAKES" in table


async def test_what_is_wrong_or_missing_is_said_by_the_status(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, BACKFILLS, backfill("early", "later", trigger="later-t", start=day(1)))
        status = await until(operated, client, "early", "Waiting")
        assert status["message"].startswith("there is no DAG 'later'")
        await operated.create(client, DAGS, operated.dag("later", DAY))

        async def trigger() -> bool:
            status = (await client.get(BACKFILLS, operated.namespace, "early"))["status"]
            return "there is no trigger 'later-t'" in status["message"]

        await eventually(trigger)
        await operated.create(client, TRIGGERS, nightly("later"))
        await until(operated, client, "early", "Succeeded")
        wrong = backfill("wrong", "later", cron="0 0 31 2 *", start=day(1), params={"nope": 1})
        await operated.create(client, BACKFILLS, wrong)
        status = await until(operated, client, "wrong", "Invalid")
        assert "spec.cron: '0 0 31 2 *' matches no existing day" in status["message"]
        for fields, words in (
            ({"start": day(1), "ticks": [day(1)]}, "write either ticks, or start"),
            ({"start": day(1)}, "with start, write either trigger or cron"),
        ):
            try:
                await operated.create(client, BACKFILLS, backfill("refused", "later", **fields))
            except Invalid as error:
                assert words in error.message
            else:
                raise AssertionError(fields)
