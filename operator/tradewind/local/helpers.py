"""The containers of a pod that start before its main one: init containers run to completion, sidecars run until the
main one has ended.

Those without a command are skipped: their images are not known here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tradewind.kube.client import Object
from tradewind.local.process import NotStarted, Process

Start = Callable[[Object, list[str]], Awaitable[Process]]
"""Starts a command in a container. Raises NotStarted."""


class Helpers:
    """The helper containers of one pod. `now()` gives the time in the API's format."""

    def __init__(self, pod: Object, start: Start, now: Callable[[], str]) -> None:
        containers = pod["spec"].get("initContainers") or []
        self._containers = [container for container in containers if container.get("command")]
        self._start, self._now = start, now
        self._states: dict[str, Object] = {}
        self._running: list[tuple[Object, Process, asyncio.Task[int]]] = []

    def statuses(self) -> list[Object]:
        """Their statuses, as a kubelet reports them."""
        waiting = {"waiting": {"reason": "PodInitializing"}}
        return [
            {
                "name": item["name"],
                "image": item["image"],
                "imageID": "",
                "restartCount": 0,
                "ready": "running" in (state := self._states.get(item["name"], waiting)),
                "state": state,
            }
            for item in self._containers
        ]

    def hold(self, container: Object, reason: str, message: str) -> None:
        """Records why a container can't start yet."""
        self._states[container["name"]] = {"waiting": {"reason": reason, "message": message}}

    async def begin(self) -> bool:
        """Runs them in order; False if an init container has failed and nothing must follow."""
        for container in self._containers:
            name, began = container["name"], self._now()
            try:
                process = await self._start(container, [*container["command"], *container.get("args", [])])
            except NotStarted as error:
                self._states[name] = _terminated(128, "StartError", str(error), began, self._now())
                return False
            self._states[name] = {"running": {"startedAt": began}}
            running = (container, process, asyncio.ensure_future(process.wait()))
            self._running.append(running)
            if container.get("restartPolicy") == "Always":
                await self._run_post_start(container, running[2])
            elif await self._end(running):
                return False
        return True

    async def finish(self, grace: float) -> None:
        """Stops the sidecars in reverse order."""
        for running in self._running[::-1]:
            if not running[2].done():
                await running[1].stop(grace)
            await self._end(running)

    def kill(self) -> None:
        """Kills all at once."""
        for _, process, _ in self._running:
            process.kill()

    async def _run_post_start(self, container: Object, ended: "asyncio.Task[int]") -> None:
        """Runs a container's postStart command, before the next container starts."""
        hook: Any = (container.get("lifecycle") or {}).get("postStart", {}).get("exec")
        if not hook:
            return
        process = await self._start(container, hook["command"])
        waiting = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            process.kill()

    async def _end(self, running: tuple[Object, Process, "asyncio.Task[int]"]) -> int:
        container, process, waiting = running
        code = await waiting
        began = self._states[container["name"]].get("running", {}).get("startedAt") or self._now()
        why = "Error" if code else "Completed"
        self._states[container["name"]] = _terminated(code, why, process.message(), began, self._now())
        if running in self._running:
            self._running.remove(running)
        return code


def _terminated(code: int, reason: str, message: str, began: str, ended: str) -> Object:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "message": message,
            "startedAt": began,
            "finishedAt": ended,
        }
    }
