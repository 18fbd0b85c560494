"""Runs reconciles in slices: where their plain functions `pause`, other work goes on, and namespaces take turns.

The planner and what renders, checks and converts are plain functions, called by coroutines. Each coroutine that a host runs is driven in a
greenlet: a plain function deep inside it can give the event loop back (see `tradewind.plan.pacing`), as if it had an `await` there, without
being a coroutine itself. Nothing changes but what may happen meanwhile: code that must not be interrupted does not pause.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, NamedTuple, TypeVar, cast

from greenlet import getcurrent, greenlet

from tradewind.control.evaluation.fairlock import FairLock
from tradewind.control.evaluation.workers import Evaluator
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError, recompiled
from tradewind.plan.cel.evaluation import in_place
from tradewind.plan.pacing import Evaluation

FREE = 0.002
"""Seconds that a step of a coroutine may take before it has to wait for its turn: nearly all are shorter."""
SLICE = 0.010
"""Seconds that one coroutine may take at a stretch, once it has its turn. One at a time has."""
EVALUATION_LIMIT_US = 50_000.0
"""Microseconds that an evaluation may take at most outside of what a host runs."""
BUDGET = 1.0
"""Seconds of computing after which a pass is asked to stop and go on in the next one."""
BUDGETS_LIMIT = 10
"""Budgets after which an expression, or a document that is checked, is refused, where a piece of work can't stop before that."""
T = TypeVar("T")


class Host:
    """Runs coroutines whose steps tenants size. One for each event loop."""

    def __init__(
        self, evaluator: Evaluator, budget: float = BUDGET, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.evaluator, self.budget, self.clock = evaluator, budget, clock
        self.turns = FairLock()

    async def run(self, namespace: str, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives or raises. After `budget` seconds of computing it is asked to stop (`pace.spent`)."""
        return await _Driven(work, _Section(self, namespace))

    def begin(self, namespace: str) -> None:
        """To be called by a coroutine that goes on for ever, at each piece of work: it is for a namespace, and has a budget of its own."""
        section = pacing.current()
        assert isinstance(section, _Section)  # noqa: S101 - it runs in a host
        section.begin(namespace)

    async def close(self) -> None:
        """Ends the evaluator."""
        await self.evaluator.close()


class _Section(pacing.Pace):
    """A coroutine under way. It computes between `resume` and `suspend`."""

    def __init__(self, host: Host, namespace: str) -> None:
        self._host, self._namespace, self._clock = host, namespace, host.clock
        self._used, self._since, self._room = 0.0, 0.0, FREE
        self._has_turn = False
        self.outside: greenlet | None = None
        self.inside: greenlet | None = None

    def begin(self, namespace: str) -> None:
        """Another piece of work."""
        self._namespace, self._used, self._since = namespace, 0.0, self._clock()

    def resume(self) -> None:
        """It goes on."""
        self._since, self._room = self._clock(), FREE

    def suspend(self) -> None:
        """It waits."""
        self._used += self._clock() - self._since
        self._give_way()

    def pause(self) -> None:
        """Waits for a turn when this one is over."""
        now = self._clock()
        if now - self._since < self._room or getcurrent() is not self.inside:
            return
        self._used += now - self._since
        place = self._host.turns.queue(self._namespace)
        self._give_way()
        self._wait_for(self._host.turns.wait(place))
        self._has_turn = True
        self._since, self._room = self._clock(), SLICE

    def _give_way(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._host.turns.release()

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self._used + self._clock() - self._since > self._host.budget

    @property
    def exhausted(self) -> bool:
        """Whether many budgets are."""
        return self._used + self._clock() - self._since > BUDGETS_LIMIT * self._host.budget

    def evaluate(self, evaluation: Evaluation) -> Any:
        """The value, from the worker."""
        if getcurrent() is not self.inside:
            return Refusing().evaluate(evaluation)  # A task that was begun in here, and is not driven.
        if self._used > BUDGETS_LIMIT * self._host.budget:
            words = f"and others before it take more than {BUDGETS_LIMIT * self._host.budget:g} s of computing together"
            raise ExpressionError(evaluation.expression, f"{words}: compute the values in a task")
        evaluator = self._host.evaluator
        self.suspend()
        try:
            value, took = self._wait_for(evaluator.evaluate(self._namespace, evaluation))
        except ExpressionError:
            self._used += evaluator.deadline
            raise
        finally:
            self.resume()
        self._used += took
        return value

    def _wait_for(self, awaitable: Awaitable[T]) -> T:
        assert self.outside is not None  # noqa: S101 - it is driven
        return cast(T, self.outside.switch(_Nested(awaitable)))


class _Nested(NamedTuple):
    """What a plain function waits for."""

    awaitable: Awaitable[Any]


class _Driven(Generic[T]):
    """Drives a coroutine in a greenlet. What the coroutine waits for goes to the event loop as ever."""

    def __init__(self, work: Coroutine[Any, Any, T], section: _Section) -> None:
        self._work, self._section = work, section

    def __await__(self) -> Generator[Any, Any, T]:
        section = self._section
        inside = greenlet(self._steps)
        inside.gr_context = copy_context()
        section.inside = inside
        send: Callable[[], Any] = inside.switch
        while True:
            section.outside = getcurrent()
            waits_for = send()
            if inside.dead:
                return cast(T, waits_for)
            try:
                if isinstance(waits_for, _Nested):
                    answer = yield from waits_for.awaitable.__await__()
                else:
                    answer = yield waits_for
            except BaseException as error:
                send = _throwing(inside, error)
            else:
                send = _sending(inside, answer)

    def _steps(self) -> T:
        """Runs in the greenlet."""
        section, work = self._section, self._work
        assert section.outside is not None  # noqa: S101 - `__await__` has set it
        answer: Any = None
        error: BaseException | None = None
        with pacing.at(section):
            while True:
                section.resume()
                try:
                    waits_for = work.send(answer) if error is None else work.throw(error)
                except StopIteration as end:
                    return cast(T, end.value)
                finally:
                    section.suspend()
                answer = error = None
                try:
                    answer = section.outside.switch(waits_for)
                except BaseException as raised:
                    error = raised


def _throwing(inside: greenlet, error: BaseException) -> Callable[[], Any]:
    return lambda: inside.throw(error)


def _sending(inside: greenlet, answer: Any) -> Callable[[], Any]:
    return lambda: inside.switch(answer)


class Refusing(pacing.Pace):
    """Outside of what a host runs nothing may take long."""

    spent = False

    def pause(self) -> None:
        """Goes on."""

    def evaluate(self, evaluation: Evaluation) -> Any:
        """The value. Raises ExpressionError, also for what may take longer than a slice of many."""
        if evaluation.time > EVALUATION_LIMIT_US:
            raise ExpressionError(evaluation.expression, "may take too long here: compute the value in a task")
        return in_place(recompiled(evaluation), evaluation.values)
