"""Follows a backfill until it has ended."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tradewind.cli.output.terminal import say
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import BACKFILLS
from tradewind.look.reading import of_kind
from tradewind.look.reading import status as status_of
from tradewind.model.backfill import FINISHED

NAMED = 3
"""Failed runs that are named."""
LOOK = 0.5
"""Seconds between two polls."""


def story(status: Mapping[str, Any]) -> str:
    """A backfill's message, with the names of runs that failed if the message does not name them."""
    message = str(status.get("message") or "")
    failures = [str(name) for name in of_kind(list, status.get("failures"))]
    if not failures or failures[0] in message:
        return message
    count = status.get("failed")
    left = max(len(failures), count if isinstance(count, int) else 0) - len(failures[:NAMED])
    more = f" and {left} more" if left else ""
    return f"{message}{'; ' if message else ''}failed: {', '.join(failures[:NAMED])}{more}"


async def follow(client: Client, namespace: str, name: str, err: bool) -> Object:
    """Prints the progress (to standard error if `err`) until the backfill has ended; returns its last state."""
    said = None
    while True:
        found = await client.get(BACKFILLS, namespace, name)
        status = status_of(found)
        words = (status.get("phase") or "", status.get("progress") or "", story(status))
        if words != said and words[0]:
            say(f"{words[0]} {words[1]}: {words[2]}", err=err)
            said = words
        if words[0] in FINISHED:
            return found
        await asyncio.sleep(LOOK)
