"""Runs reconciles in slices: where their plain functions `pause`, other work continues, and namespaces take turns.

The planner, rendering, checks and conversions are plain functions, called by coroutines. Each coroutine of a host is driven in a greenlet:
a plain function deep inside it can yield to the event loop (see `tradewind.plan.pacing`) as if it had an `await` there, without being a
coroutine itself. As with an `await`, other code can run meanwhile; code that must not be interrupted does not pause.
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
"""Seconds that a step of a coroutine may take before it has to wait for its turn. Nearly all steps are shorter."""
SLICE = 0.010
"""Seconds that one coroutine may take at a stretch, once it has its turn. Only one has it at a time."""
EVALUATION_LIMIT_US = 50_000.0
"""Microseconds that an evaluation outside a host may take."""
BUDGET = 1.0
"""Seconds of computing time after which a pass is asked to stop and continue in the next one."""
BUDGETS_LIMIT = 10
"""Number of budgets after which an expression or a checked document is refused, where the work can't be divided into passes."""
T = TypeVar("T")


class Host:
    """Runs coroutines whose steps may be of any size. One per event loop."""

    def __init__(
        self, evaluator: Evaluator, budget: float = BUDGET, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.evaluator, self.budget, self.clock = evaluator, budget, clock
        self.turns = FairLock()

    async def run(self, namespace: str, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine and returns its result. After `budget` seconds of computing time it is asked to stop (`pacing.spent`)."""
        return await _Driven(work, _Section(self, namespace))

    def begin(self, namespace: str) -> None:
        """Begins a piece of work with its own namespace and budget. A coroutine that never returns calls this for each piece."""
        section = pacing.current()
        assert isinstance(section, _Section)  # noqa: S101 - it runs in a host
        section.begin(namespace)

    async def close(self) -> None:
        """Closes the evaluator."""
        await self.evaluator.close()


class _Section(pacing.Pace):
    """A running coroutine. It computes between `resume` and `suspend`."""

    def __init__(self, host: Host, namespace: str) -> None:
        self._host, self._namespace, self._clock = host, namespace, host.clock
        self._used, self._since, self._room = 0.0, 0.0, FREE
        self._has_turn = False
        self.outside: greenlet | None = None
        self.inside: greenlet | None = None

    def begin(self, namespace: str) -> None:
        """Begins another piece of work."""
        self._namespace, self._used, self._since = namespace, 0.0, self._clock()

    def resume(self) -> None:
        """Starts counting computing time."""
        self._since, self._room = self._clock(), FREE

    def suspend(self) -> None:
        """Stops counting computing time and releases the turn."""
        self._used += self._clock() - self._since
        self._give_way()

    def pause(self) -> None:
        """Waits for the next turn if the current one is used up."""
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
        """Whether the maximum number of budgets is used up."""
        return self._used + self._clock() - self._since > BUDGETS_LIMIT * self._host.budget

    def evaluate(self, evaluation: Evaluation) -> Any:
        """Evaluates in the worker process and returns the value. Raises ExpressionError."""
        if getcurrent() is not self.inside:
            return Refusing().evaluate(evaluation)  # in a task that this coroutine started, which no host drives
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
    """An awaitable that a plain function waits for."""

    awaitable: Awaitable[Any]


class _Driven(Generic[T]):
    """Drives a coroutine in a greenlet. Its awaits reach the event loop as usual."""

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
    """The pace outside a host, where nothing may take long."""

    spent = False

    def pause(self) -> None:
        """Does nothing."""

    def evaluate(self, evaluation: Evaluation) -> Any:
        """Evaluates at once and returns the value. Raises ExpressionError, also if evaluation may take too long."""
        if evaluation.time > EVALUATION_LIMIT_US:
            raise ExpressionError(evaluation.expression, "may take too long here: compute the value in a task")
        return in_place(recompiled(evaluation), evaluation.values)
