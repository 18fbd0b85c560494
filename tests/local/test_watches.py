"""Watches of the embedded server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from tradewind.local.apiserver import ApiServer, watch
from tradewind.local.apiserver.kinds import BUILT_IN
from tradewind.local.apiserver.store import ObjectStore, StoredEvent


async def test_what_happens_in_the_moment_in_which_a_bookmark_is_due_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore()
    kind = next(kind for kind in BUILT_IN if kind.plural == "pods")
    shelf = store.shelf(kind.key)

    @asynccontextmanager
    async def too_late(seconds: float) -> AsyncIterator[None]:
        monkeypatch.undo()
        store.version += 1
        body = {"metadata": {"name": "a", "resourceVersion": str(store.version)}}
        shelf.events.append(StoredEvent(store.version, "ADDED", body, None))
        for waiter in shelf.waiters:
            waiter.set()
        raise TimeoutError
        yield

    monkeypatch.setattr(asyncio, "timeout", too_late)
    lines = watch.follow(store, kind, None, lambda _: True, store.version, True, None)
    first = json.loads(await anext(lines))
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")


async def test_a_watch_is_on_record_as_soon_as_it_has_begun() -> None:
    async with ApiServer() as server, ClientSession() as session:
        path = "/api/v1/namespaces/default/pods"
        async with session.get(f"{server.url}{path}", params={"watch": "true", "timeoutSeconds": "1000"}):
            assert list(server.audit) == [("watch", "pods", "", "default", "", 200)]
        async with session.get(f"{server.url}{path}", params={"watch": "true", "timeoutSeconds": "0.001"}) as ended:
            await ended.read()
        assert len(server.audit) == 2, "and once"
