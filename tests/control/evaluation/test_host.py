"""Pure work runs in slices: other work continues meanwhile, namespaces take turns, and expensive expressions are
evaluated elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tradewind.control.evaluation.host import BUDGETS_LIMIT, FREE, SLICE, Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError


class Clock:
    """Advances as work is done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


PATIENCE = 300.0
"""Seconds on the clock for an evaluation, however busy the machine is: only the limit of CPU time ends one here."""


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """For what is not about the limit."""
    host = Host(Evaluator(deadline=60.0, kill_wait=PATIENCE))
    yield host
    await host.close()


@pytest.fixture
async def strict() -> AsyncIterator[Host]:
    """Its limit is one that what is fast stays far below, and what is slow exceeds many times."""
    host = Host(Evaluator(deadline=0.3, kill_wait=PATIENCE))
    yield host
    await host.close()


async def call(host: Host, namespace: str, work: Callable[[], Any]) -> Any:
    """Runs a plain function."""

    async def called() -> Any:
        return work()

    return await host.run(namespace, called())


def evaluate(expression: str, **values: Any) -> Callable[[], Any]:
    program = compiler.compiled(expression, tuple((name, "any") for name in values), str)
    return lambda: compiler.run(program, values)


def work(clock: Clock, name: str, turns: int, log: list[str]) -> Callable[[], str]:
    def do() -> str:
        for _ in range(turns):
            clock.now += SLICE + FREE
            log.append(name)
            pacing.pause()
        return name

    return do


async def test_work_gives_what_it_gives_and_raises_what_it_raises() -> None:
    host = Host(Evaluator())
    assert await call(host, "a", lambda: 3) == 3
    with pytest.raises(KeyError):
        await call(host, "a", lambda: {}["x"])  # type: ignore[index]


async def test_other_tasks_run_between_two_slices() -> None:
    clock, log = Clock(), list[str]()
    host = Host(Evaluator(), clock=clock)

    async def other() -> None:
        for _ in range(3):
            log.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(call(host, "a", work(clock, "work", 3, log)), other())
    assert log.index("other") < 2 and log.count("other") == 3


async def test_namespaces_take_turns_whatever_each_has_to_do() -> None:
    clock, log = Clock(), list[str]()
    host = Host(Evaluator(), clock=clock)
    loud = [call(host, "loud", work(clock, "loud", 20, log)) for _ in range(10)]
    await asyncio.gather(*loud, call(host, "calm", work(clock, "calm", 5, log)))
    assert log[: log.index("calm") + 1].count("loud") <= 12, "the first slice of each is free"
    end = len(log) - log[::-1].index("calm")
    assert end < 40, "it has every second turn"


async def test_work_is_asked_to_stop_when_its_budget_is_used_up() -> None:
    clock = Clock()
    host = Host(Evaluator(), budget=1.0, clock=clock)

    def endless() -> int:
        for turn in range(1_000):
            clock.now += 0.1
            pacing.pause()
            if pacing.spent():
                return turn
        return -1

    assert 8 <= await call(host, "a", endless) <= 10


async def test_work_that_is_cancelled_ends_where_it_waits() -> None:
    clock, log = Clock(), list[str]()
    host = Host(Evaluator(), clock=clock)
    task = asyncio.ensure_future(call(host, "a", work(clock, "a", 10_000, log)))
    while len(log) < 5:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(log) < 100
    assert await call(host, "b", work(clock, "b", 3, log)) == "b", "and holds nobody up"


async def test_what_may_take_long_is_evaluated_by_the_worker(host: Host) -> None:
    assert (
        await call(host, "a", evaluate("xs.all(x, text.size() > x)", xs=list(range(100)), text="y" * 200_000)) is True
    )
    assert await call(host, "a", evaluate("xs.map(x, text).size()", xs=list(range(900)), text="y" * 2_000)) == 900


async def test_an_evaluation_that_takes_too_long_is_ended_and_others_go_on(strict: Host) -> None:
    slow = evaluate("xs.all(x, xs.all(y, !text.matches('(x+x+)+y')))", xs=list(range(99)), text="a" * 700_000)
    with pytest.raises(ExpressionError, match="takes more than 300 ms of computing: compute the value in a task"):
        await call(strict, "a", slow)
    assert await call(strict, "b", evaluate("xs.all(x, text.size() > x)", xs=[1] * 50, text="y" * 100_000)) is True


async def test_an_error_is_the_same_here_and_there(host: Host) -> None:
    broken = evaluate("xs.map(x, text + x.missing).size()", xs=[{"a": 1}] * 300, text="y" * 90_000)
    with pytest.raises(ExpressionError) as here:
        broken()
    with pytest.raises(ExpressionError) as there:
        await call(host, "a", broken)
    assert str(here.value) == str(there.value)


async def test_a_worker_that_dies_is_replaced(host: Host) -> None:
    heavy = evaluate("xs.all(x, text.size() > x)", xs=list(range(100)), text="y" * 200_000)
    assert await call(host, "a", heavy)
    process = host.evaluator._process
    assert process
    process.kill()
    assert await call(host, "a", heavy)


async def test_namespaces_take_turns_at_the_worker(host: Host) -> None:
    log: list[str] = []

    async def ask(name: str) -> None:
        await call(host, name, evaluate("xs.all(x, text.size() > x)", xs=list(range(100)), text="y" * 100_000))
        log.append(name)

    await asyncio.gather(*(ask("loud") for _ in range(20)), ask("calm"))
    assert log.index("calm") <= 2


async def test_coroutines_wait_and_fail_as_ever(host: Host) -> None:
    from contextvars import ContextVar

    where: ContextVar[str] = ContextVar("where", default="outside")

    async def inner() -> list[str]:
        token, found = where.set("inside"), []
        await asyncio.sleep(0)
        found.append(where.get())
        where.reset(token)
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(5)
        except TimeoutError:
            found.append("timeout")
        found.append(str(evaluate("xs.all(x, text.size() > x)", xs=list(range(100)), text="y" * 200_000)()))
        await asyncio.sleep(0)
        return [*found, where.get()]

    assert await host.run("a", inner()) == ["inside", "timeout", "True", "outside"]
    waiting = asyncio.ensure_future(host.run("a", asyncio.sleep(60)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_waiting_is_not_counted_as_computing() -> None:
    clock = Clock()
    host = Host(Evaluator(), budget=1.0, clock=clock)

    async def waits() -> bool:
        for _ in range(10):
            await asyncio.sleep(0)
            clock.now += 0.01
        return pacing.spent()

    async def time_passes() -> None:
        for _ in range(30):
            await asyncio.sleep(0)
            clock.now += 1.0  # others compute

    spent, _ = await asyncio.gather(host.run("a", waits()), time_passes())
    assert not spent


async def test_what_the_worker_computes_counts_for_the_budget(host: Host) -> None:
    host.budget = 0.05
    heavy = evaluate("xs.all(x, text.size() > x)", xs=list(range(100)), text="y" * 400_000)

    def work() -> list[bool]:
        found = []
        while not pacing.spent():
            heavy()
            found.append(pacing.spent())
        return found

    assert (await call(host, "a", work))[-1]


async def test_each_piece_of_work_of_a_worker_has_a_budget_of_its_own() -> None:
    clock, found = Clock(), list[bool]()
    host = Host(Evaluator(), budget=1.0, clock=clock)

    async def worker() -> None:
        for _ in range(3):
            host.begin("a")
            clock.now += 0.8
            pacing.pause()
            found.append(pacing.spent())

    await host.run("", worker())
    assert found == [False] * 3


async def test_what_can_not_stop_is_failed_as_after_many_budgets() -> None:
    clock, log = Clock(), list[str]()
    host = Host(Evaluator(), budget=1.0, clock=clock)

    def steps() -> None:
        with pacing.limited():
            while len(log) < 1_000:
                clock.now += 0.5
                log.append("")
                pacing.pause()

    with pytest.raises(pacing.Exhausted):
        await call(host, "a", steps)
    assert len(log) == 2 * BUDGETS_LIMIT + 1


async def test_texts_are_taken_apart_elsewhere_where_that_takes_long(host: Host, strict: Host) -> None:
    extracted = evaluate("regex.extractAll(t, '([a-z]+)[.]csv').size()", t="orders.csv, " * 2_000)
    assert await call(host, "a", extracted) == 2_000
    slow = evaluate("regex.extractAll(t, '(?:a|.)*b|a|(.{0,500}c)')", t="a" * 100_000)
    with pytest.raises(ExpressionError, match="takes more than 300 ms of computing"):
        await call(strict, "a", slow)
    large = evaluate("regex.extract(t, p)", t="a", p=r"(\pL{100}){10}")
    with pytest.raises(ExpressionError, match="is not a regular expression that can be used: pattern too large"):
        await call(host, "a", large)
