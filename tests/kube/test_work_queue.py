import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tradewind.kube.work_queue import WorkQueue


@contextlib.asynccontextmanager
async def working(queue: WorkQueue[str], handle: Callable[[str], Awaitable[None]], workers: int = 3):
    tasks = [asyncio.create_task(queue.work(handle, lambda key, error: None)) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_keys_added_many_times_are_handled_once() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    handled: list[str] = []
    done = asyncio.Event()

    async def handle(key: str) -> None:
        handled.append(key)
        if key == "last":
            done.set()

    for _ in range(10):
        queue.add("a")
    queue.add("last")
    async with working(queue, handle, 1):
        await asyncio.wait_for(done.wait(), 100)
    assert handled == ["a", "last"]


async def test_a_key_added_while_it_is_handled_is_handled_again_after_never_beside() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    at_work, passes = 0, 0
    again, done = asyncio.Event(), asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal at_work, passes
        at_work += 1
        assert at_work == 1
        passes += 1
        if passes == 1:
            again.set()
            await asyncio.sleep(0.01)
        else:
            done.set()
        at_work -= 1

    queue.add("a")
    async with working(queue, handle):
        await again.wait()
        queue.add("a")
        queue.add("a")
        await asyncio.wait_for(done.wait(), 100)
    assert passes == 2


async def test_a_key_that_fails_comes_back_and_one_that_succeeds_does_not() -> None:
    queue: WorkQueue[str] = WorkQueue("test", first_delay=0.001)
    passes = 0
    done = asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal passes
        passes += 1
        if passes < 4:
            raise RuntimeError("not yet")
        done.set()

    queue.add("a")
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 100)
    assert passes == 4


async def test_of_two_timers_the_earlier_counts() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    done = asyncio.Event()

    async def handle(key: str) -> None:
        done.set()

    queue.add_after("a", 60)
    queue.add_after("a", 0.01)
    queue.add_after("a", 60)
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 100)


async def test_a_forgotten_key_does_not_come_back() -> None:
    queue: WorkQueue[str] = WorkQueue("test")
    handled: list[str] = []
    done = asyncio.Event()

    async def handle(key: str) -> None:
        handled.append(key)
        done.set()

    queue.add_after("a", 0.01)
    queue.forget("a")
    queue.add_after("b", 0.02)
    async with working(queue, handle):
        await asyncio.wait_for(done.wait(), 100)
    assert handled == ["b"]


async def test_a_namespace_with_many_keys_keeps_no_other_waiting() -> None:
    queue: WorkQueue[tuple[str, int]] = WorkQueue("test")
    handled: list[tuple[str, int]] = []

    async def handle(key: tuple[str, int]) -> None:
        handled.append(key)

    for number in range(1_000):
        queue.add(("many", number))
    queue.add(("few", 1))
    queue.add(("few", 2))
    async with working(queue, handle, 1):  # type: ignore[arg-type]
        async with asyncio.timeout(100):
            while len(handled) < 1_002:
                await asyncio.sleep(0)
    assert handled.index(("few", 1)) <= 1 and handled.index(("few", 2)) <= 3
    assert [number for name, number in handled if name == "many"] == list(range(1_000)), "in order"


async def test_it_is_said_by_whom_it_is_worked_for() -> None:
    queue: WorkQueue[str] = WorkQueue("test", lambda key: key[0])
    handled: list[str] = []

    async def handle(key: str) -> None:
        handled.append(key)

    for key in ("a1", "a2", "a3", "b1"):
        queue.add(key)
    async with working(queue, handle, 1):
        async with asyncio.timeout(100):
            while len(handled) < 4:
                await asyncio.sleep(0)
    assert handled == ["a1", "b1", "a2", "a3"]


async def test_a_namespace_whose_keys_take_for_ever_leaves_a_worker_to_others() -> None:
    queue: WorkQueue[str] = WorkQueue("test", lambda key: key[0])
    free, handled = asyncio.Event(), list[str]()

    async def handle(key: str) -> None:
        if key[0] == "a":
            await free.wait()
        handled.append(key)

    for key in ("a1", "a2", "a3", "a4", "a5"):
        queue.add(key)
    async with working(queue, handle, 3):
        async with asyncio.timeout(100):
            await asyncio.sleep(0)
            queue.add("b1")
            queue.add("b2")
            while len(handled) < 2:
                await asyncio.sleep(0)
            assert handled == ["b1", "b2"]
            free.set()
            while len(handled) < 7:
                await asyncio.sleep(0)
    assert sorted(handled[2:]) == ["a1", "a2", "a3", "a4", "a5"] and not queue._parked and not queue._held
