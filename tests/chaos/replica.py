"""An operator process inside of the simulation: an engine with its own memory and connections, which can be killed at
any moment."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import aiohttp
from tradewind.control.evaluation.host import Host
from tradewind.control.manager.engine import Engine

from .history import History
from .wire import Network, WireClient, WireConnector

OWNER: contextvars.ContextVar["Replica | None"] = contextvars.ContextVar("owner", default=None)


def to_outside(**_: Any) -> aiohttp.BaseConnector:
    """Connections of the requesting process to servers other than the API server."""
    owner = OWNER.get()
    assert owner is not None
    return WireConnector(owner.outside)


def own_tasks(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> "asyncio.Task[Any]":
    """A task that dies with the process that created it."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
    if owner := OWNER.get():
        owner.own(task)
    return task


class OwnEngine(Engine):
    """The operator's engine without kopf, which handles signals and credentials of a real process, in real time."""

    async def _kopf(self, watching: Callable[[], None], interrupted: Callable[[], None]) -> None:
        watching()
        self.ready.set()
        await asyncio.Event().wait()


class Replica:
    """One process."""

    def __init__(
        self, name: str, network: Network, outside: Network, clock: Callable[[], float], history: History, host: Host
    ) -> None:
        """`network` leads to the API server, `outside` to others; `host` is where its passes pause."""
        self._host = host
        self.name, self.network, self.outside, self._history = name, network, outside, history
        self._tasks: dict[asyncio.Task[Any], None] = {}
        """In the order of their creation, in which they die: the order of a set differs between processes."""
        self.dead = False
        context = contextvars.copy_context()
        context.run(OWNER.set, self)
        self._loop = asyncio.get_running_loop()
        self._main = self._loop.create_task(self._run(clock), context=context)

    async def _run(self, clock: Callable[[], float]) -> None:
        me = asyncio.current_task()
        assert me is not None
        self.own(me)
        try:
            async with WireClient(self.network) as client:
                await OwnEngine(client, (), "tradewind:test", self.name, clock=clock, host=self._host).run(
                    asyncio.Event(), lambda: None, lambda: None
                )
            self._history.crashes.append(f"{self.name} ended by itself")
        except Exception as error:
            if not self.dead:
                self._history.crashes.append(f"{self.name}: {_story(error)}")

    def own(self, task: "asyncio.Task[Any]") -> None:
        """A task that this process has started."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def kill(self) -> None:
        """SIGKILL: nothing that it would still do reaches the server."""
        if not self.dead:
            self.dead = True
            self.network.cut()
            self.outside.cut()
            self._reap()

    def _reap(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            self._loop.call_later(0.01, self._reap)


def _story(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_story(item) for item in error.exceptions)
    return f"{type(error).__name__}: {error}"
