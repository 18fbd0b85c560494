"""Worker processes for work whose size tenants decide, and the turns in which they are assigned."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from tradewind.control.dags.judgement import bounded
from tradewind.control.evaluation.places import Busy, Places
from tradewind.control.evaluation.worker_pool import TooMuch, WorkerDied, Workers
from tradewind.plan.documents.problem import Invalid


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers(1).running() as made:
        yield made


async def test_a_call_gives_what_the_function_gives(workers: Workers) -> None:
    assert await workers.call("a", max, [1, 7]) == 7
    assert await workers.call("a", bytes, 3_000_000) == bytes(3_000_000)
    with pytest.raises(ZeroDivisionError):
        await workers.call("a", divmod, 1, 0)
    assert await workers.call("a", os.getpid) == await workers.call("b", os.getpid) != os.getpid()


async def test_an_error_that_can_not_be_sent_comes_as_its_words(workers: Workers) -> None:
    with pytest.raises((Invalid, RuntimeError), match="64 levels"):
        await workers.call("a", bounded, orjson.loads("[" * 100 + "]" * 100))


async def test_what_takes_too_long_is_killed_and_the_next_call_is_done(workers: Workers) -> None:
    before = await workers.call("a", os.getpid)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await workers.call("a", time.sleep, 3_600)
    after = await workers.call("b", os.getpid)
    assert after != before
    with pytest.raises(ProcessLookupError):
        while True:
            os.kill(before, 0)  # it exists until it has been waited for
            await asyncio.sleep(0.01)


async def test_a_call_that_nobody_waits_for_any_more_costs_no_process_if_it_ends(workers: Workers) -> None:
    """A client that hangs up again and again would have a process started each time."""
    before = await workers.call("a", os.getpid)
    for _ in range(3):
        call = asyncio.create_task(workers.call("a", time.sleep, 0.01))
        waiting = asyncio.create_task(workers.call("a", os._exit, 1))
        while not workers._places._seats.held:
            await asyncio.sleep(0)
        call.cancel()
        waiting.cancel()
        await asyncio.gather(call, waiting, return_exceptions=True)
        assert call.cancelled() and waiting.cancelled()
    assert await workers.call("b", os.getpid) == before


async def test_a_process_that_dies_is_told_and_replaced(workers: Workers) -> None:
    with pytest.raises(WorkerDied):
        await workers.call("a", os._exit, 1)
    with pytest.raises((MemoryError, WorkerDied)):
        await workers.call("a", bytes, 2**31)
    assert await workers.call("a", max, [1, 2]) == 2


ENDLESS = range(10**18)


async def test_what_computes_too_long_is_ended_and_said() -> None:
    async with Workers(1, seconds=0.2).running() as workers:
        before = await workers.call("a", os.getpid)
        with pytest.raises(TooMuch, match=r"more than 0\.2 s of computing"):
            await workers.call("a", sum, ENDLESS)
        assert await workers.call("b", os.getpid) != before


async def test_what_is_larger_may_compute_for_longer() -> None:
    two_mib = 1 << (8 * 2 * 2**20)
    async with Workers(1, seconds=0.1).running() as workers:
        with pytest.raises(TooMuch, match=r"more than 0\.3 s of computing"):
            await workers.call("a", sum, ENDLESS, two_mib)


async def test_one_namespace_leaves_a_process_to_others() -> None:
    """Each call of the first takes forever."""
    async with Workers(2, seconds=3_600).running() as workers:
        loud = [asyncio.create_task(workers.call("loud", sum, ENDLESS)) for _ in range(4)]
        for _ in loud:
            await asyncio.sleep(0)
        async with asyncio.timeout(100):
            assert [await workers.call("quiet", max, [at, 7]) for at in range(3)] == [7] * 3
        assert not any(task.done() for task in loud)
        for task in loud:
            task.cancel()
        await asyncio.gather(*loud, return_exceptions=True)


async def test_keys_take_turns_however_much_one_asks_for() -> None:
    places, order = Places(1, 100), list[str]()

    async def take(key: str) -> None:
        async with places.one(key):
            order.append(key)
            await asyncio.sleep(0)

    await asyncio.gather(*(take(key) for key in [*"aaaaa", *"bb", "c"]))
    assert order == ["a", "a", "b", "c", "a", "b", "a", "a"]


async def test_more_of_one_key_than_may_wait_is_refused() -> None:
    places = Places(1, 10)
    async with places.one("a", 8), asyncio.timeout(100):
        with pytest.raises(Busy):
            async with places.one("a", 3):
                pass
        other = asyncio.create_task(_once(places, "b", 99))
        await asyncio.sleep(0)
        assert not other.done(), "it waits for its turn, though it is large"
    await other
    await _once(places, "a", 8)


async def _once(places: Places, key: str, size: int) -> None:
    async with places.one(key, size):
        pass


async def test_who_gives_up_waiting_loses_nobody_the_place() -> None:
    places = Places(1, 10)
    async with places.one("a"):
        waiting = [asyncio.create_task(_once(places, key, 1)) for key in "bcd"]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # at the moment in which it is assigned the place
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    async with asyncio.timeout(100):
        await _once(places, "e", 1)
