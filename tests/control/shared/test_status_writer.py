"""Statuses are written when they change, and not all the time."""

from typing import Any

from tradewind.control.shared.status_writer import StatusWriter
from tradewind.kube.resources import DAGS
from tradewind.kube.work_queue import WorkQueue

KEY = ("ns", "d")
PLACE = (DAGS, *KEY)


class Api:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def patch(self, *where: Any) -> dict[str, Any]:
        self.sent.append(where[3])
        return {"metadata": {}, **where[3]}


class Queue(WorkQueue[tuple[str, str]]):
    """Records when something is to be reconciled again."""

    def __init__(self) -> None:
        super().__init__("test")
        self.later: list[float] = []

    def add_after(self, key: tuple[str, str], delay: float) -> None:
        self.later.append(delay)


class World:
    def __init__(self) -> None:
        self.now, self.api, self.queue = 100.0, Api(), Queue()
        api: Any = self.api
        self.writer = StatusWriter(api, self.queue, 1.0, lambda: self.now)


async def test_what_says_nothing_new_is_not_written() -> None:
    world = World()
    assert await world.writer.write(KEY, PLACE, {"phase": "Active"}, {"phase": "Active", "message": ""}) is None
    written = await world.writer.write(KEY, PLACE, {"phase": "Active"}, {"phase": "Invalid"}, "7")
    assert written and written.patch == {"phase": "Invalid"}
    assert world.api.sent == [{"metadata": {"resourceVersion": "7"}, "status": {"phase": "Invalid"}}]


async def test_what_can_wait_is_written_in_time() -> None:
    world, wait = World(), {"can_wait": lambda patch: "phase" not in patch}
    assert not world.writer.postpone(KEY)
    await world.writer.write(KEY, PLACE, {}, {"phase": "A", "n": 1}, **wait)
    world.now += 0.25
    assert await world.writer.write(KEY, PLACE, {"phase": "A", "n": 1}, {"phase": "A", "n": 2}, **wait) is None
    assert world.writer.postpone(KEY) and world.queue.later == [0.75, 0.75]
    assert await world.writer.write(KEY, PLACE, {"phase": "A", "n": 1}, {"phase": "B", "n": 2}, **wait)
    world.now += 1.0
    assert not world.writer.postpone(KEY) and len(world.api.sent) == 2


async def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    world = World()
    await world.writer.write(KEY, PLACE, {}, {"phase": "A"})
    world.now -= 3600.0
    assert not world.writer.postpone(KEY)
    world.writer.forget(KEY)
    assert not world.writer.postpone(KEY) and world.queue.later == []
