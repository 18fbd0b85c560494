"""The poller: when it polls, how much at once, and what it forgets."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from chaos.clock import VirtualLoop, play
from tradewind import metrics
from tradewind.control.sensors.poller import GRACE, POLL_GRACE_SECONDS, Poll, Poller


class Server:
    """Counts concurrent requests; answers when the test releases it."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.asked: list[str] = []
        self.let = asyncio.Event()

    async def ask(self, host: str, name: str) -> None:
        self.asked.append(name)
        self.now[host] += 1
        self.now["all"] += 1
        self.most = self.most | self.now
        try:
            await self.let.wait()
        finally:
            self.now[host] -= 1
            self.now["all"] -= 1


async def until(check: object) -> None:
    async with asyncio.timeout(100):
        while not check():  # type: ignore[operator]
            await asyncio.sleep(0)


def waiting() -> float:
    return float(metrics.sensors_waiting.labels("test")._value.get())


async def test_it_asks_many_but_only_so_many_at_once_and_of_one_host() -> None:
    poller, server = Poller(at_once=6, per_host=8), Server()
    for number in range(30):
        host = "h0" if number < 15 else f"h{number % 3}"

        async def ask(host: str = host, name: str = str(number)) -> float | None:
            await server.ask(host, name)
            return None

        poller.put(number, Poll("test", host, ask), 0)
    running = asyncio.create_task(poller.run())
    await until(lambda: server.now["all"] == 6)
    server.let.set()
    await until(lambda: len(server.asked) == 30 and not waiting())
    assert server.most["all"] == 6 and server.most["h0"] <= 4
    assert sorted(map(int, server.asked)) == list(range(30))
    running.cancel()


async def test_it_asks_again_as_each_answer_says_and_stops_when_told() -> None:
    poller, counts = Poller(), Counter[str]()

    async def often() -> float | None:
        counts["often"] += 1
        return 0.001

    async def once() -> float | None:
        counts["once"] += 1
        return None

    async def breaks() -> float | None:
        counts["breaks"] += 1
        raise RuntimeError("a mistake")

    running = asyncio.create_task(poller.run())
    for name, ask in (("often", often), ("once", once), ("breaks", breaks)):
        poller.put(name, Poll("test", name, ask), 0)
    await until(lambda: counts["often"] > 20)
    assert counts["once"] == counts["breaks"] == 1 and waiting() == 2, "a mistake in one does not end the others"
    poller.drop("often")
    before = counts["often"]
    poller.put("later", Poll("test", "often", often), 0)
    await until(lambda: counts["often"] > before)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert waiting() == 0, "what ended counts nothing"


async def test_what_is_dropped_while_it_is_asked_is_cancelled_and_gives_its_place_to_others() -> None:
    poller, server = Poller(at_once=1, per_host=1), Server()

    async def hang() -> float | None:
        await server.ask("h", "hang")
        return 0.0

    async def next_() -> float | None:
        server.asked.append("next")
        return None

    running = asyncio.create_task(poller.run())
    poller.put("hang", Poll("test", "h", hang), 0)
    await until(lambda: server.asked == ["hang"])
    poller.put("next", Poll("test", "h", next_), 0)
    poller.drop("hang")
    await until(lambda: server.asked == ["hang", "next"])
    running.cancel()


async def test_a_namespace_that_asks_slow_servers_leaves_places_to_others() -> None:
    poller, slow, fast = Poller(), Server(), Server()
    for number in range(100):

        async def tarpit(name: str = f"h{number}") -> float | None:
            await slow.ask(name, name)
            return None

        poller.put(number, Poll("test", f"h{number}", tarpit, "loud"), 0)
    running = asyncio.create_task(poller.run())
    await until(lambda: slow.now["all"] == 16)

    async def quick() -> float | None:
        fast.asked.append("quick")
        return None

    poller.put("quick", Poll("test", "h1", quick, "quiet"), 0)
    await until(lambda: fast.asked == ["quick"])
    assert slow.now["all"] == 16
    running.cancel()


async def test_a_host_that_one_namespace_fills_is_asked_for_others() -> None:
    poller, server = Poller(), Server()
    for namespace in ("loud", "quiet"):
        for number in range(20):

            async def ask(name: str = namespace) -> float | None:
                await server.ask("shared", name)
                return None

            poller.put((namespace, number), Poll("test", "shared", ask, namespace), 0 if namespace == "loud" else 0.01)
    running = asyncio.create_task(poller.run())
    await until(lambda: server.now["shared"] == 16)
    assert Counter(server.asked) == {"loud": 8, "quiet": 8}
    running.cancel()


def test_what_waits_for_its_turn_says_so_and_ends_in_time() -> None:
    play(_waits_for_its_turn, seed=1)


async def _waits_for_its_turn(loop: VirtualLoop) -> None:
    """On a clock that only waiting advances: the order does not depend on the machine."""
    poller, server, told = Poller(at_once=1), Server(), list[tuple[str, int]]()

    def tell(what: str) -> Callable[[], None]:
        return lambda: told.append((what, round(loop.time())))

    async def hang() -> float | None:
        await server.ask("h", "hang")
        return None

    poller.put("hang", Poll("test", "h", hang), 0)
    running = asyncio.create_task(poller.run())
    await until(lambda: server.asked == ["hang"])
    poller.put("limited", Poll("test", "h", hang, limit=20, busy=tell("busy"), late=tell("late")), 0)
    poller.put("patient", Poll("test", "h", hang, busy=tell("patient")), 0)
    await asyncio.sleep(60)
    assert told == [("busy", POLL_GRACE_SECONDS), ("patient", POLL_GRACE_SECONDS), ("late", 20 + GRACE)]
    assert waiting() == 2, "the one that is late is gone, and was never asked"
    server.let.set()
    await until(lambda: not waiting())
    assert server.asked == ["hang", "hang"]
    running.cancel()
