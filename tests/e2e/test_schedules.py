"""Triggers by the clock: a run per tick, even if the operator dies; what unfinished runs and calendars do to ticks."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS, TRIGGERS
from worlds.world import Body, World, eventually, printed

QUICK = {"a": {"compute": {"date": "run.date"}}}


def trigger(name: str, dag: str, **schedule: Any) -> Body:
    spec = {"dag": dag, "schedule": schedule}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return sorted(found["items"], key=lambda run: str(run["metadata"]["name"]))


async def told(world: World, client: Client, name: str) -> Body:
    return dict((await client.get(TRIGGERS, world.namespace, name)).get("status") or {})


async def test_every_tick_makes_one_run_also_those_in_which_the_operator_was_dead(world: World) -> None:
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("ticking", QUICK))
        await world.create(client, TRIGGERS, trigger("ticking", "ticking", cron="*/2 * * * * *", timeZone="Asia/Tokyo"))
        for _ in range(3):
            with world.operator():  # killed at the end, in the middle of whatever it does
                before = len(await runs(world, client, "ticking"))

                async def more(before: int = before) -> bool:
                    return len(await runs(world, client, "ticking")) >= before + 3

                await eventually(more)
        await client.patch(TRIGGERS, world.namespace, "ticking", {"spec": {"suspend": True}})
        with world.operator():

            async def quiet() -> bool:
                return (await told(world, client, "ticking")).get("phase") == "Suspended"

            await eventually(quiet)
            found = await runs(world, client, "ticking")
            names = [run["metadata"]["name"] for run in found]
            first, last = (
                datetime.strptime(name, "ticking-%Y%m%d-%H%M%S" if len(name) == 23 else "ticking-%Y%m%d-%H%M")
                for name in (names[0], names[-1])
            )
            ticks = [
                first + timedelta(seconds=2 * step) for step in range(int((last - first).total_seconds() // 2) + 1)
            ]
            assert names == [
                f"ticking-{tick:%Y%m%d-%H%M%S}" if tick.second else f"ticking-{tick:%Y%m%d-%H%M}" for tick in ticks
            ]
            ended = await world.finished(client, names[0])
            again = await asyncio.to_thread(printed, world, "rerun", names[0], "--all", "--no-watch")
            name = next(word for word in again.split() if word.startswith("dagrun/")).removeprefix("dagrun/")
            rerun = await client.get(RUNS, world.namespace, name)
        dates = ("logicalDate", "intervalStart", "intervalEnd")
        assert {date: rerun["spec"][date] for date in dates} == {date: found[0]["spec"][date] for date in dates}
        local = (first + timedelta(hours=9)).isoformat()
        assert found[0]["spec"]["logicalDate"] == f"{local}+09:00"
        assert ended["outputs"] == {"a": {"date": local[:10]}}


async def test_enqueued_runs_go_one_after_the_other_in_the_order_of_their_ticks(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("slow", {"a": {"wait": {"duration": "3s"}}}))
        await operated.create(client, TRIGGERS, trigger("slow", "slow", cron="* * * * * *", concurrency="Enqueue"))

        async def three() -> Any:
            found = await runs(operated, client, "slow")
            return len([run for run in found if (run.get("status") or {}).get("phase") == "Succeeded"]) >= 3

        await eventually(three)
        await client.patch(TRIGGERS, operated.namespace, "slow", {"spec": {"suspend": True}})
        found = [run for run in await runs(operated, client, "slow") if (run.get("status") or {}).get("finishedAt")]
        spans = [(run["status"]["startedAt"], run["status"]["finishedAt"]) for run in found]
        assert spans == sorted(spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


async def test_a_tick_replaces_the_unfinished_run_or_gives_way_to_it(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("long", {"a": {"wait": {"duration": "1h"}}}))
        await operated.create(client, TRIGGERS, trigger("new", "long", cron="*/3 * * * * *", concurrency="Replace"))
        await operated.create(client, TRIGGERS, trigger("old", "long", cron="*/3 * * * * *", concurrency="Forbid"))

        async def replaced() -> bool:
            phases = [(run.get("status") or {}).get("phase") for run in await runs(operated, client, "new")]
            return phases[:1] == ["Cancelled"] and "Running" in phases

        await eventually(replaced)

        async def given_way() -> bool:
            said = ((await told(operated, client, "old")).get("schedule") or {}).get("skipped", "")
            return "the run before it had not ended (concurrency: Forbid)" in said

        await eventually(given_way)
        assert len(await runs(operated, client, "old")) == 1
        for name in ("new", "old"):
            await client.delete(TRIGGERS, operated.namespace, name)


async def test_a_calendar_that_is_missing_holds_ticks_back_and_is_named(operated: World) -> None:
    today = datetime.now(UTC).date()
    days = {f"{today + timedelta(days=step)}" for step in (-1, 0, 1)}
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("holidays", QUICK))
        exclude = [{"configMap": {"name": "holidays", "key": "days"}}]
        await operated.create(client, TRIGGERS, trigger("holidays", "holidays", cron="* * * * * *", exclude=exclude))

        async def waiting() -> bool:
            return (await told(operated, client, "holidays")).get("phase") == "Waiting"

        await eventually(waiting)
        words = (await told(operated, client, "holidays"))["message"]
        assert words == "spec.schedule.exclude[0].configMap.name: there is no ConfigMap 'holidays'; ticks wait for it"
        calendar = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "holidays"},
            "data": {"days": "\n".join(days)},
        }
        await operated.create(client, CONFIG_MAPS, calendar)

        async def active() -> bool:
            return (await told(operated, client, "holidays")).get("phase") == "Active"

        await eventually(active)
        await asyncio.to_thread(printed, operated, "suspend", "trigger/holidays")
        assert await runs(operated, client, "holidays") == []
        shown = await asyncio.to_thread(printed, operated, "get", "triggers")
        assert "holidays" in shown and "schedule" in shown


async def test_a_manifest_with_a_run_that_is_applied_again_makes_no_second_one(operated: World) -> None:
    manifest = Path(__file__).parents[2] / "examples" / "once.yaml"
    async with operated.client() as client:
        for _ in range(2):
            await asyncio.to_thread(printed, operated, "apply", "-f", str(manifest))
            assert (await operated.finished(client, "once"))["phase"] == "Succeeded"
        found = (await client.list(RUNS, operated.namespace, fieldSelector="spec.dag=once"))["items"]
        assert [run["metadata"]["name"] for run in found] == ["once"]


async def test_a_run_knows_what_made_it_and_whether_it_is_the_newest(operated: World) -> None:
    looks = {"latest": "run.latest", "next": "run.nextDate", "by": "run.trigger.type + ' ' + run.trigger.name"}
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    dates = [tick.isoformat().replace("+00:00", "Z") for tick in (first, first + timedelta(days=400))]
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("newest", {"look": {"compute": looks}}))
        await operated.create(client, TRIGGERS, trigger("newest", "newest", dates=dates))

        async def made() -> Any:
            return await runs(operated, client, "newest")

        status = await operated.finished(client, (await eventually(made))[0]["metadata"]["name"])
        assert status["outputs"]["look"] == {"latest": True, "next": dates[1], "by": "schedule newest"}
        made_by = {"type": "schedule", "name": "newest"}
        assert status["bound"] == {"latest": True, "nextDate": dates[1], "trigger": made_by}
        by_hand = await operated.result(client, "newest")
        assert by_hand["outputs"]["look"] == {"latest": True, "next": "", "by": "manual "}
