"""Logs of attempts: read from their pods with the caller's rights."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field

from tradewind.control.pods.names import hashed, pod_name
from tradewind.kube.errors import ApiError, Forbidden, Invalid, NotFound
from tradewind.kube.pod import Pod, parse_pod
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.explained import explained
from tradewind.look.tasks.segments import by_attempt
from tradewind.plan.outcomes.attempt import key as unit_key
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.server.answers.base import Query
from tradewind.server.pictures import View
from tradewind.server.question import Question
from tradewind.server.route import Form, Need, Route
from tradewind.server.web.events import open_stream, send
from tradewind.server.web.problem import Refused

MOST = 8 * 2**20
"""Bytes of a log that are sent at once."""
RATE = 2**20
"""Bytes a second of a log that is followed; what is more is left out, and counted."""
BATCH = 0.25
"""Seconds between two batches of lines."""
LINES = 2_000
"""Lines of a batch."""
AGAIN = 1.0
"""Seconds until a pod that has not started is asked again."""
ENDS = 5
"""Times that the status of a container is read after the end of its log, until it says so too."""
HEARTBEAT = 15.0


class LogQuery(Query):
    """How much of the log."""

    tail: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    timestamps: bool = False
    download: bool = False
    container: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = "main"


async def log(question: Question) -> web.StreamResponse:
    """The last lines, as text."""
    asked = question.asked(LogQuery)
    pod = await _pod(question)
    query = {"tailLines": str(asked.tail), "container": asked.container}
    if asked.timestamps:
        query["timestamps"] = "true"
    pieces: list[bytes] = []
    size = 0
    try:
        async for line in question.client.logs(question.namespace, pod.metadata.name, **query):
            pieces.append(line)
            size += len(line) + 1
            if size > MOST:
                break
    except NotFound as error:
        raise Refused(404, f"the log is gone with its pod: {explained(error)}") from None
    except Invalid as error:
        raise Refused(409, f"there is no log yet: {error.message}") from None
    cut = size > MOST or len(pieces) >= asked.tail
    whole = "running" if not pod.over else "truncated" if cut else "complete"
    text = b"\n".join(pieces) + (b"\n" if pieces else b"")
    headers = {"X-Tradewind-Log": whole, "Content-Security-Policy": "sandbox; default-src 'none'"}
    if asked.download:
        task, number = question.path["key"], question.path["attempt"]
        name = f"{question.path['run']}-{task}-{number}.log".replace("[", "-").replace("]", "")
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return web.Response(body=text, content_type="application/octet-stream", headers=headers)
    shown = text.decode(errors="replace")
    return web.Response(text=shown, content_type="text/plain", charset="utf-8", headers=headers)


async def _pod(question: Question) -> Pod:
    """The pod of the attempt. Raises Refused with the reason why there is no log."""
    run, key, number = question.path["run"], question.path["key"], question.path["attempt"]
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise Refused(400, "attempt: write its number, from 1", "attempt")
    view = await question.service.pictures.view(question.caller, question.namespace, run)
    task, index = parse_key(key)
    planner = view.state.planner if view.state else None
    if planner and task in planner.definition.tasks and task in planner.podless:
        raise Refused(404, f"{key[:100]} has no pod, and so no log: the operator did its work")
    if found := by_attempt(view.run, view.pods).get((key, int(number))):
        return found
    return await _named(question, view, task, index, int(number))


async def _named(question: Question, view: View, task: str, index: int | None, number: int) -> Pod:
    """The pod by its name, for a caller who may not list pods or if the picture lags behind."""
    usual = pod_name(view.run.name, task, number, index)
    for name in (usual, hashed(usual, f"{view.run.uid}/{unit_key(task, index)}", number)):
        try:
            pod = parse_pod(await question.client.get_raw(PODS, question.namespace, name))
        except NotFound:
            continue
        if pod.metadata.run_uid == view.run.uid:
            return pod
    words = "it has not started yet" if not view.run.final else "its pod is gone, and the log with it"
    raise Refused(404, f"there is no log of attempt {number} of {task[:100]}: {words}")


async def follow(question: Question) -> web.StreamResponse:
    """New lines as they come, until the container ends."""
    asked = question.asked(LogQuery)
    pod = await _pod(question)
    response = await open_stream(question)
    lines = _Lines(question, pod.metadata.name, asked)
    reading = asyncio.create_task(lines.read())
    try:
        beat = time.monotonic()
        while True:
            done = reading.done()
            if batch := lines.take():
                await send(response, orjson.dumps(batch))
                beat = time.monotonic()
            if lines.skipped:
                skipped, lines.skipped = lines.skipped, 0
                await send(response, orjson.dumps({"lines": skipped}), "skipped")
            if done and not lines.held:
                await send(response, orjson.dumps({"reason": lines.end}), "end")
                return response
            if time.monotonic() - beat > HEARTBEAT:
                await response.write(b": \n\n")
                beat = time.monotonic()
            await asyncio.sleep(BATCH)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Lines:
    """Lines that have been read and not sent."""

    def __init__(self, question: Question, pod: str, asked: LogQuery) -> None:
        self._question, self._pod, self._asked = question, pod, asked
        self.held: list[str] = []
        self.skipped = 0
        self.end = ""
        self._size, self._since, self._ends = 0, time.monotonic(), 0

    def take(self) -> list[str]:
        """The next batch."""
        batch, self.held = self.held[:LINES], self.held[LINES:]
        return batch

    async def read(self) -> None:
        """Reads until the log ends."""
        while True:
            try:
                begun = False
                async for line in self._stream():
                    begun = True
                    self._hold(line)
                while begun and self._ends <= ENDS and not await self._over():
                    self._ends += 1  # the status follows the end of the log
                    await asyncio.sleep(AGAIN)
                if await self._over():
                    self.end = "the container has ended"
                    return
                if begun and self._ends > ENDS:
                    self.end = "the API server ended the stream: open the log again"
                    return
                await asyncio.sleep(AGAIN)  # its container has not started
            except Invalid:  # the same, as a real API server says it
                await asyncio.sleep(AGAIN)
            except NotFound:
                self.end = "the pod is gone"
                return
            except ApiError as error:
                self.end = explained(error)
                return

    async def _over(self) -> bool:
        """Whether the container has ended. For a caller who may read logs but no pods, the end of the log says so."""
        try:
            pod = parse_pod(await self._question.client.get_raw(PODS, self._question.namespace, self._pod))
        except Forbidden:
            return True
        state = next((item.state for item in pod.status.container_statuses if item.name == self._asked.container), None)
        return pod.over or (state is not None and state.terminated is not None)

    def _stream(self) -> AsyncIterator[bytes]:
        query = {"follow": "true", "tailLines": str(self._asked.tail), "container": self._asked.container}
        if self._asked.timestamps:
            query["timestamps"] = "true"
        return self._question.client.logs(self._question.namespace, self._pod, **query)

    def _hold(self, line: bytes) -> None:
        now = time.monotonic()
        if now - self._since > 1.0:
            self._size, self._since = 0, now
        self._size += len(line)
        if self._size > RATE or len(self.held) > 4 * LINES:
            self.skipped += 1
        else:
            self.held.append(line.decode(errors="replace"))


_NEEDS = (Need("get", RUNS), Need("get", PODS, "log"))
ROUTES = (
    Route(
        "GET",
        "logs/{namespace}/{run}/{key}/{attempt}",
        "The log of an attempt.",
        log,
        query=LogQuery,
        needs=_NEEDS,
        form=Form.TEXT,
    ),
    Route(
        "GET",
        "logs/{namespace}/{run}/{key}/{attempt}/follow",
        "The log of an attempt, as it grows.",
        follow,
        query=LogQuery,
        needs=_NEEDS,
        form=Form.STREAM,
    ),
)
