"""Follows a backfill until it has ended."""

import asyncio

from tradewind.cli.output.terminal import say
from tradewind.cli.reading import status as status_of
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import BACKFILLS
from tradewind.model.backfill import FINISHED

LOOK = 0.5
"""Seconds between two polls."""


async def follow(client: Client, namespace: str, name: str, err: bool) -> Object:
    """Prints the progress (to standard error if `err`) until the backfill has ended; returns its last state."""
    said = None
    while True:
        found = await client.get(BACKFILLS, namespace, name)
        status = status_of(found)
        words = (status.get("phase") or "", status.get("progress") or "", status.get("message") or "")
        if words != said and words[0]:
            say(f"{words[0]} {words[1]}: {words[2]}", err=err)
            said = words
        if words[0] in FINISHED:
            return found
        await asyncio.sleep(LOOK)
