"""Runs pure work on the event loop in slices: other work goes on between them, and namespaces take turns.

The planner and what renders, checks and converts are plain functions. They run in a greenlet each, which gives the loop back where they
`pause` (see `tradewind.plan.pace`): as if they had an `await` there, without being coroutines all the way down.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

from tradewind.control.evaluation.workers import Evaluator
from tradewind.kube.fairqueue import Turns
from tradewind.plan import pace
from tradewind.plan.cel import ExpressionError
from tradewind.plan.pace import Evaluation

FREE = 0.002
"""Seconds that a piece of work may take before it has to wait for its turn: nearly all are shorter."""
SLICE = 0.010
"""Seconds that one piece of work may take at a stretch, once it has its turn. One at a time has."""
T = TypeVar("T")


class Host:
    """Runs pieces of work. One for each event loop."""

    def __init__(self, evaluator: Evaluator, clock: Callable[[], float] = time.perf_counter) -> None:
        self.evaluator, self._clock = evaluator, clock
        self._waiting: Turns[asyncio.Future[None]] = Turns()
        self._holder: object | None = None

    async def run(self, namespace: str, work: Callable[[], T], budget: float = float("inf")) -> T:
        """What `work()` gives or raises. After `budget` seconds of computing it is asked to stop (`pace.spent`)."""
        section = _Section(self, namespace, budget, self._clock)

        def paced() -> T:
            with pace.at(section):
                return work()

        child = greenlet(paced)
        child.gr_context = copy_context()
        try:
            answer = child.switch()
            while not child.dead:
                try:
                    value = await cast(Awaitable[Any], answer)
                except BaseException as error:
                    answer = child.throw(error)
                else:
                    answer = child.switch(value)
        finally:
            self.release(section)
        return cast(T, answer)

    async def turn(self, section: object, namespace: str) -> None:
        """Returns when it is a section's turn. Whatever else is ready has run meanwhile."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.push(namespace, place)
        self.release(section)
        self._grant()
        try:
            await asyncio.sleep(0)
            await place
        except asyncio.CancelledError:
            place.cancel()
            self.release(place)
            raise
        self._holder = section

    def release(self, section: object) -> None:
        """A section has come to its end, or waits for something else."""
        if self._holder is section:
            self._holder = None
            self._grant()

    async def close(self) -> None:
        """Ends the evaluator."""
        await self.evaluator.close()

    def _grant(self) -> None:
        while self._holder is None and self._waiting:
            place = self._waiting.pop()
            if not place.done():
                self._holder = place
                place.set_result(None)


class _Section(pace.Pace):
    """A piece of work under way."""

    def __init__(self, host: Host, namespace: str, budget: float, clock: Callable[[], float]) -> None:
        self._host, self._namespace, self._budget, self._clock = host, namespace, budget, clock
        self._outside = getcurrent()
        self._used, self._since, self._room = 0.0, clock(), FREE

    def pause(self) -> None:
        """Waits for a turn when this one is over."""
        now = self._clock()
        if now - self._since < self._room:
            return
        self._used += now - self._since
        self._await(self._host.turn(self, self._namespace))
        self._since, self._room = self._clock(), SLICE

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self._used + self._clock() - self._since > self._budget

    def evaluate(self, evaluation: Evaluation) -> Any:
        """The value, from the worker."""
        began = self._clock()
        self._used += began - self._since
        self._host.release(self)
        try:
            value, took = self._await(self._host.evaluator.evaluate(self._namespace, evaluation))
            self._used += took
        except ExpressionError:
            self._used += self._host.evaluator.deadline
            raise
        finally:
            self._since, self._room = self._clock(), FREE
        return value

    def _await(self, awaitable: Awaitable[T]) -> T:
        return cast(T, self._outside.switch(awaitable))


async def in_place(_: str, work: Callable[[], T], budget: float = float("inf")) -> T:
    """As `Host.run`, all at once: where nobody else is hindered."""
    return work()
