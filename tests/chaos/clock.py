"""An event loop whose time passes only when there is nothing left to do, so that an hour of waiting costs nothing and
the same seed always gives the same history."""

import asyncio
import contextlib
import random
import selectors
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from unittest import mock

EPOCH = 1_750_000_000.0
"""The API server's clock at time 0 of the loop."""
LAST_TURNS = 50
"""Turns in which remaining tasks are cancelled at the end."""
TURN = 2e-9
"""Seconds that a turn of the loop takes: a little, as in the real world."""
SPINS = 200_000
"""Turns of the loop without time passing after which a task counts as spinning."""


class Stuck(Exception):
    """Nothing will ever happen, or everything happens at the same moment."""


class _Selector(selectors.SelectSelector):
    """Waits for nothing outside of this process: it advances the clock instead."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is left to wait for")
        self.loop.pass_time(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`before_turn` is called before every turn of the loop: there a process can die between any two awaits."""

    def __init__(self) -> None:
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self.turns = self._still = 0
        self._now = 0.0
        self.before_turn: Callable[[int], None] = lambda turn: None

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds + TURN
        self._still = 0 if seconds else self._still + 1
        if self._still > SPINS:
            raise Stuck(f"{SPINS} turns without time passing")

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _run_once(self) -> None:
        self.turns += 1
        self.before_turn(self.turns)
        super()._run_once()  # type: ignore[misc]


def play(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]], seed: int) -> Any:
    """Runs a coroutine on a loop of its own, where time, randomness and new uids come from the loop and the seed."""
    loop = VirtualLoop()
    chance = random.getstate()
    random.seed(seed)
    try:
        with _replaced(loop, random.Random(seed)):
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(main(loop))
    finally:
        random.setstate(chance)
        for _ in range(LAST_TURNS):
            if not (left := asyncio.all_tasks(loop)):
                break
            for task in left:
                task.cancel()
            loop.call_soon(loop.stop)
            loop.run_forever()
        asyncio.set_event_loop(None)
        loop.close()


@contextlib.contextmanager
def _replaced(loop: VirtualLoop, chance: random.Random) -> Iterator[None]:
    def new_uid() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    with contextlib.ExitStack() as stack:
        for name in ("monotonic", "perf_counter"):
            stack.enter_context(mock.patch.object(time, name, loop.time))
        stack.enter_context(mock.patch.object(time, "time", lambda: EPOCH + loop.time()))
        stack.enter_context(mock.patch.object(uuid, "uuid4", new_uid))
        yield
