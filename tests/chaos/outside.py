"""A server outside of the cluster that tasks send requests to. It follows the scenario, and completes what it has begun
even if nobody waits for the answer any more."""

import asyncio

from aiohttp import web
from tradewind.plan.outcomes.attempt import key

from .history import SERVER, Execution, History
from .scenario import EVERY, Scenario


class Outside:
    """Follows a scenario. Answers that count for a task are recorded in the history as executions."""

    def __init__(self, history: History, scenario: Scenario) -> None:
        self._history, self._scenario = history, scenario
        self._asked: dict[tuple[str, str], float] = {}
        """Since when a sensor polls, by the uid of its run and its key."""

    def open(self) -> "web.Server[web.BaseRequest]":
        """Makes the protocol of each new connection."""
        return web.Server(self._answer)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/things":
            return self._things(request.query["after"])
        clock = asyncio.get_running_loop().time
        run, uid, name, index, attempt = request.path.strip("/").split("/")
        task, unit = self._scenario.tasks[name], key(name, int(index) if index.isdigit() else None)
        if task.does == "sensor":
            since = self._asked.setdefault((uid, unit), clock())
            if task.fails or clock() < since + task.seconds:
                return web.Response(status=404)
        ran = Execution(run, uid, unit, int(attempt), f"request of {unit} #{attempt}", "", SERVER, clock())
        self._history.executions.append(ran)
        if task.does == "http":
            await asyncio.sleep(task.seconds)
        fails = task.mended.fails if uid in self._history.reworked else task.fails
        ran.code = 1 if ran.attempt <= fails else 0
        ran.ended = clock()
        return web.json_response({"key": unit}, status=500 if ran.code else 200)

    def _things(self, after: str) -> web.Response:
        """The existing things that the client has not seen yet."""
        there = min(self._scenario.runs, int(asyncio.get_running_loop().time() / EVERY))
        things = [str(at) for at in range(int(after) + 1 if after else 0, there)]
        return web.json_response({"things": things, "last": things[-1] if things else after})
