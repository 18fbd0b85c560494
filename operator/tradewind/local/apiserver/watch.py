"""Watches: streams of the changes after a version."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tradewind.local.apiserver.errors import StatusError
from tradewind.local.apiserver.faults import Fault
from tradewind.local.apiserver.kinds import Kind
from tradewind.local.apiserver.selectors import Match
from tradewind.local.apiserver.store import ObjectStore, StoredEvent
from tradewind.local.apiserver.text import write

BOOKMARK_EVERY = 10.0
"""Seconds between bookmarks. A real server sends them about once a minute; no client may depend on it."""


def expired(version: int, oldest: int) -> StatusError:
    """410: the history does not reach back that far."""
    return StatusError(410, "Expired", f"too old resource version: {version} ({oldest})")


def line_of(event: StoredEvent, namespace: str | None, match: Match) -> bytes | None:
    """The event as a watcher with a selector sees it: an object that stops matching is DELETED, one that begins to
    match is ADDED."""
    if namespace is not None and event.object["metadata"].get("namespace") != namespace:
        return None
    now = event.type != "DELETED" and match(event.object)
    before = event.old is not None and match(event.old)
    if now:
        return event.line("MODIFIED" if before else "ADDED")
    return event.line("DELETED") if before else None


def bookmark(kind: Kind, version: int, initial: bool = False) -> bytes:
    """The position that the watch has reached."""
    meta: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    body = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
    return write({"type": "BOOKMARK", "object": body}) + b"\n"


def error(status: StatusError) -> bytes:
    """An error in the stream."""
    return write({"type": "ERROR", "object": status.body()}) + b"\n"


async def follow(
    store: ObjectStore,
    kind: Kind,
    namespace: str | None,
    match: Match,
    version: int,
    bookmarks: bool,
    fault: Fault | None,
) -> AsyncIterator[bytes]:
    """Streams events after `version`, without end unless a fault ends it."""
    shelf = store.shelf(kind.key)
    wake = asyncio.Event()
    shelf.waiters[wake] = None
    try:
        while True:
            wake.clear()
            if version < shelf.dropped:
                yield error(expired(version, shelf.dropped))
                return
            news = _since(shelf.events, version)
            for event in news:
                version = event.version
                line = line_of(event, namespace, match)
                if line is None:
                    continue
                if fault and fault.what == "gone":
                    yield error(expired(version, version + 1))
                    return
                if fault and fault.what == "drop":
                    return
                if fault and fault.what == "delay":
                    await asyncio.sleep(fault.seconds)
                if fault and fault.what == "stall":
                    await asyncio.Event().wait()
                yield line
                if fault and fault.what == "duplicate":
                    yield line
            try:
                async with asyncio.timeout(BOOKMARK_EVERY):
                    await wake.wait()
            except TimeoutError:
                if wake.is_set():
                    continue  # an event arrived as the timeout expired
                version = max(version, store.version)
                if bookmarks:
                    yield bookmark(kind, version)
    finally:
        shelf.waiters.pop(wake, None)


def _since(events: Any, version: int) -> list[StoredEvent]:
    """Events after a version; searched from the latest, since watchers are seldom far behind."""
    found: list[StoredEvent] = []
    for event in reversed(events):
        if event.version <= version:
            break
        found.append(event)
    found.reverse()
    return found
