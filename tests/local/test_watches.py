"""Watches of the embedded server."""

import asyncio
import json
from typing import Any

import pytest
from tradewind.local.apiserver import watch
from tradewind.local.apiserver.kinds import BUILT_IN
from tradewind.local.apiserver.store import ObjectStore, StoredEvent


async def test_what_happens_in_the_moment_in_which_a_bookmark_is_due_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore()
    kind = next(kind for kind in BUILT_IN if kind.plural == "pods")
    shelf = store.shelf(kind.key)

    async def too_late(waiting: Any, seconds: float) -> None:
        waiting.close()
        monkeypatch.undo()
        store.version += 1
        body = {"metadata": {"name": "a", "resourceVersion": str(store.version)}}
        shelf.events.append(StoredEvent(store.version, "ADDED", body, None))
        for waiter in shelf.waiters:
            waiter.set()
        raise TimeoutError

    monkeypatch.setattr(asyncio, "wait_for", too_late)
    lines = watch.follow(store, kind, None, lambda _: True, store.version, True, None)
    first = json.loads(await anext(lines))
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
