"""Ticks while leaders change and the wall clock is set under a running operator: each creates one run, none is lost."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import DAGS, LEASES, RUNS, TRIGGERS
from worlds.world import Body, World, eventually

QUICK = {"a": {"compute": {"date": "run.date"}}}
CLOCK = """
import os, time
told = time.time
def set_by_the_test():
    try:
        with open(os.environ["CLOCK"]) as file:
            return told() + float(file.read() or 0)
    except FileNotFoundError:
        return told()
time.time = set_by_the_test
"""
"""Python runs a module of this name first."""


async def ticks(world: World, client: Client, trigger: str) -> list[datetime]:
    """The logical dates of its runs, in order."""
    found = (await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={trigger}"))["items"]
    return sorted(datetime.fromisoformat(run["spec"]["logicalDate"]) for run in found)


async def schedule(world: World, client: Client, name: str, **fields: Any) -> None:
    history = {"succeeded": {"limit": 10_000}}
    await world.create(client, DAGS, world.dag(name, QUICK, history=history))
    spec: Body = {"dag": name, "schedule": {"missed": {"policy": "All"}, **fields}}
    await world.create(
        client, TRIGGERS, {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}
    )


@contextmanager
def killed(*processes: "Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def test_a_leader_that_stands_still_in_mid_tick_and_wakes_up_beside_another_doubles_and_loses_nothing(
    world: World,
) -> None:
    first, second = (world.start_operator("--identity", name) for name in ("first", "second"))
    async with world.client() as client:
        with killed(first, second):
            await schedule(world, client, "led", every="1s")

            async def some() -> bool:
                return len(await ticks(world, client, "led")) >= 3

            await eventually(some)
            holder = await leader(world, client)
            stopped = {"first": first, "second": second}[holder]
            os.kill(stopped.pid, signal.SIGSTOP)
            before = len(await ticks(world, client, "led"))

            async def taken_over() -> bool:
                return await leader(world, client) != holder and len(await ticks(world, client, "led")) > before + 3

            await eventually(taken_over, 120)
            os.kill(stopped.pid, signal.SIGCONT)  # it believes that it leads, and is about to process a tick
            awake = len(await ticks(world, client, "led"))

            async def more() -> bool:
                return len(await ticks(world, client, "led")) > awake + 5

            await eventually(more)
        found = await ticks(world, client, "led")
    assert {after - before for before, after in itertools.pairwise(found)} == {timedelta(seconds=1)}


async def leader(world: World, client: Client) -> str:
    """The holder of the lease."""
    items = (await client.list(LEASES, world.namespace))["items"]
    holders = [item["spec"].get("holderIdentity") or "" for item in items]
    return next((holder for holder in holders if holder in ("first", "second")), "")


async def test_a_clock_that_is_set_under_a_running_operator_makes_the_runs_of_the_ticks_that_it_passed_once(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    offset = tmp_path / "clock"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = world.start_operator(PYTHONPATH=path, CLOCK=str(offset), identity="clocks")
    async with world.client() as client:
        with killed(process):
            await schedule(world, client, "set", every="10m")

            async def active() -> bool:
                body = await client.get(TRIGGERS, world.namespace, "set")
                return bool((body.get("status") or {}).get("next"))

            await eventually(active)
            began = time.time()

            async def set_to(seconds: int, highest: int) -> list[datetime]:
                """Sets the clock and waits until the operator has noticed; returns the ticks once all up to the
                `highest` have been processed."""
                before = noticed(world)
                offset.write_text(str(seconds))
                wanted = len(passed(began, began + highest))

                async def there() -> list[datetime]:
                    found = await ticks(world, client, "set")
                    return found if len(found) >= wanted and noticed(world) > before else []

                return list(await eventually(there))

            forwards = await set_to(3_600, 3_600)
            assert len(forwards) in (6, 7)
            assert await set_to(-3_600, 3_600) == forwards
            assert await set_to(3_600, 3_600) == forwards
            further = await set_to(7_200, 7_200)
    assert further == passed(further[0].timestamp() - 1, further[-1].timestamp())
    assert further[: len(forwards)] == forwards and len(further) in (12, 13)


def noticed(world: World) -> int:
    """How often the operator has logged that its clock was set."""
    return world.log.read_text().count("the clock was set by")


def passed(start: float, end: float) -> list[datetime]:
    """The ticks of every ten minutes between two times."""
    first, last = int(start // 600) + 1, int(end // 600)
    return [datetime.fromtimestamp(number * 600, UTC) for number in range(first, last + 1)]
