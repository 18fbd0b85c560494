"""Server-sent events."""

from aiohttp import web

from tradewind.server.question import Question
from tradewind.server.web.guard import HEADERS
from tradewind.server.web.problem import Refused

STREAMS = 24
"""Streams at the same time a user."""


async def open_stream(question: Question) -> web.StreamResponse:
    """A stream, with its head sent. Raises Refused for too many."""
    streams, user = question.service.hub.streams, question.caller.user
    if streams[user] >= STREAMS:
        raise Refused(429, f"there are {STREAMS} streams already: close some tabs", retry=5)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **HEADERS}
    response = web.StreamResponse(headers=headers)
    response.content_type = "text/event-stream"
    await response.prepare(question.http)
    await response.write(b"retry: 2000\n\n")
    return response


async def send(response: web.StreamResponse, data: bytes, event: str = "", number: str = "") -> None:
    """Sends an event. `data` is one line."""
    head = (f"event: {event}\n" if event else "") + (f"id: {number}\n" if number else "")
    await response.write(head.encode() + b"data: " + data + b"\n\n")
