"""Back-pressure: which write is next, and how many at once."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Unavailable
from tradewind.kube.fair_queue import IN_A_ROW, FairQueue, Lane
from tradewind.kube.resources import CONFIG_MAPS, LEASES
from tradewind.kube.writes import LEAST, MOST, START, WINDOW, Limit, Writes, flow
from tradewind.local.apiserver import ApiServer, Fault

ITEMS = st.lists(st.tuples(st.sampled_from(Lane), st.sampled_from("abc"), st.integers(0, 3)), max_size=60)


def emptied(queue: "FairQueue[tuple[Lane, str, int, int]]") -> list[tuple[Lane, str, int, int]]:
    return [queue.pop() for _ in range(len(queue))]


@given(ITEMS)
def test_everything_comes_out_once_and_in_order_within_its_flow(items: list[tuple[Lane, str, int]]) -> None:
    queue: FairQueue[tuple[Lane, str, int, int]] = FairQueue()
    for number, (lane, namespace, name) in enumerate(items):
        queue.push(lane, namespace, name, (lane, namespace, name, number))
    out = emptied(queue)
    assert sorted(item[3] for item in out) == list(range(len(items)))
    for key in {item[:3] for item in out}:
        numbers = [item[3] for item in out if item[:3] == key]
        assert numbers == sorted(numbers)


@given(ITEMS)
def test_no_lane_namespace_or_flow_waits_for_more_than_a_turn_of_the_others(items: list[tuple[Lane, str, int]]) -> None:
    queue: FairQueue[tuple[Lane, str, int, int]] = FairQueue()
    for number, (lane, namespace, name) in enumerate(items):
        queue.push(lane, namespace, name, (lane, namespace, name, number))
    out = emptied(queue)
    for lane in Lane:
        inside = [item for item in out if item[0] is lane]
        for namespace in "abc":
            places = [at for at, item in enumerate(inside) if item[1] == namespace]
            for before, after in pairwise(places):
                between = Counter(item[1] for item in inside[before + 1 : after])
                assert all(count == 1 for count in between.values()), "another namespace was served twice"
            own = [item[2] for item in inside if item[1] == namespace]
            for at, name in enumerate(own[:-1]):
                if own[at + 1] == name:
                    assert set(own[at + 1 :]) == {name}, "a flow was served twice while another waited"


def test_of_two_lanes_the_urgent_one_has_four_places_of_five() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(20):
        queue.push(Lane.URGENT, "a", 0, "urgent")
        queue.push(Lane.NORMAL, "a", 0, "normal")
    first = [queue.pop() for _ in range(10)]
    assert first == (["urgent"] * IN_A_ROW + ["normal"]) * 2


def test_what_is_due_goes_first_and_starves_nobody() -> None:
    queue: FairQueue[Lane] = FairQueue()
    for lane in Lane:
        for _ in range(50):
            queue.push(lane, "a", 0, lane)
    out = [queue.pop() for _ in range(50)]
    assert out[: IN_A_ROW + 1] == [Lane.ON_TIME] * IN_A_ROW + [Lane.URGENT]
    assert Counter(out) == {Lane.ON_TIME: 40, Lane.URGENT: 8, Lane.NORMAL: 2}


def told(limit: Limit, count: int, latency: float = 0.01, refused: bool = False, waiting: bool = True) -> float:
    for _ in range(count):
        limit.record(latency, refused, waiting)
    return limit.value


def test_the_limit_rises_while_the_server_keeps_up_and_others_wait() -> None:
    assert told(Limit(), 1_000) > START
    assert told(Limit(), 100_000) == MOST
    assert told(Limit(), 1_000, waiting=False) == START, "nobody needs more"


@pytest.mark.parametrize(("latency", "refused"), [(0.01, True), (3.0, False)])
def test_the_limit_falls_when_the_server_refuses_or_is_slow_and_never_to_nothing(latency: float, refused: bool) -> None:
    limit = Limit()
    assert told(limit, 100, latency, refused) < START / 2
    assert told(limit, 10_000, latency, refused) == LEAST
    assert told(limit, 200) > LEAST, "it comes back"


def test_a_server_far_away_is_not_taken_for_an_overloaded_one() -> None:
    assert told(Limit(), 1_000, latency=0.3) > START
    near = Limit()
    told(near, 100, latency=0.004, waiting=False)
    assert told(near, 200, latency=0.3) < START / 2


def test_one_slow_answer_of_many_is_no_overload() -> None:
    limit = Limit(WINDOW * 10.0)
    limit.record(5.0, False, False)
    assert told(limit, 1_000, waiting=False) == WINDOW * 10


async def test_a_small_run_does_not_wait_behind_a_large_one_nor_a_namespace_behind_another() -> None:
    writes, done = Writes(LEAST), []
    going = asyncio.Event()

    async def write(namespace: str, run: str) -> None:
        with flow(namespace, run):
            async with writes.place():
                await going.wait()
                done.append((namespace, run))

    tasks = [asyncio.create_task(write("a", "large")) for _ in range(100)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(write("a", "small")), asyncio.create_task(write("b", "other"))]
    await asyncio.sleep(0)
    going.set()
    await asyncio.gather(*tasks)
    assert done.index(("a", "small")) < 10 and done.index(("b", "other")) < 10


async def test_who_is_cancelled_while_waiting_or_just_let_in_takes_no_place() -> None:
    writes = Writes(LEAST)
    hold = asyncio.Event()

    async def write() -> None:
        async with writes.place():
            await hold.wait()

    tasks = [asyncio.create_task(write()) for _ in range(12)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks[::2], return_exceptions=True)
    hold.set()
    await asyncio.gather(*tasks[1::2])
    async with asyncio.timeout(1):
        await asyncio.gather(*(write() for _ in range(20)))


async def test_a_server_that_refuses_gets_less_and_leases_go_past_those_that_wait() -> None:
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
        await client.create(LEASES, "default", lease)
        server.faults.add(Fault("error", verb="create", resource="configmaps", code=429, retry_after=0, times=None))
        for at in range(100):
            with pytest.raises(Unavailable):
                await client.create(CONFIG_MAPS, "default", {"metadata": {"name": f"c{at}"}})
        assert client._writes.limit.value == LEAST
        server.faults.clear()
        server.faults.add(Fault("delay", verb="create", resource="configmaps", seconds=30, times=None))
        stuck = [
            asyncio.create_task(client.create(CONFIG_MAPS, "default", {"metadata": {"name": f"d{at}"}}))
            for at in range(8)
        ]
        await asyncio.sleep(0)
        found = await client.get(LEASES, "default", "l")
        async with asyncio.timeout(100):
            await client.replace(LEASES, "default", "l", found)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
