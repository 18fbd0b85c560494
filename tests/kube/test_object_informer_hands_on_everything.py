"""The informer of whole objects against the embedded server and its faults: what is there is told, and what went unseen too."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
from tradewind.kube.client import Client, Object
from tradewind.kube.connection import Connection
from tradewind.kube.objectinformer import ObjectInformer
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.local.apiserver import ApiServer, Fault
from worlds.world import eventually


class Told:
    """What the informer said, taken together."""

    def __init__(self) -> None:
        self.there: dict[str, Object] = {}
        self.calls = 0

    def seen(self, body: Object, deleted: bool) -> None:
        self.calls += 1
        name = body["metadata"]["name"]
        if deleted:
            del self.there[name]  # Never twice, and never one that was not there.
        else:
            self.there[name] = body.get("data") or {}

    async def becomes(self, wanted: dict[str, Object]) -> None:
        async def check() -> bool:
            return self.there == wanted

        await eventually(check, 10)


@contextlib.asynccontextmanager
async def following(server: ApiServer) -> AsyncIterator[tuple[Client, Told]]:
    told = Told()
    async with Client(Connection(server.url)) as client:
        informer = ObjectInformer(client, ["default"], CONFIG_MAPS, told.seen)
        task = asyncio.create_task(informer.run())
        try:
            await asyncio.wait_for(informer.synced.wait(), 10)
            yield client, told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def config(name: str, **data: str) -> Object:
    return {"metadata": {"name": name}, "data": data}


async def test_what_is_there_is_told_and_changes_follow() -> None:
    async with ApiServer() as server:
        async with Client(Connection(server.url)) as client:
            await client.create(CONFIG_MAPS, "default", config("a", k="1"))
        async with following(server) as (client, told):
            assert told.there == {"a": {"k": "1"}}
            await client.create(CONFIG_MAPS, "default", config("b"))
            await client.patch(CONFIG_MAPS, "default", "a", {"data": {"k": "2"}})
            await told.becomes({"a": {"k": "2"}, "b": {}})
            await client.delete(CONFIG_MAPS, "default", "a")
            await told.becomes({"b": {}})


def page(version: int, **objects: int) -> bytes:
    items = [{"metadata": {"namespace": "n", "name": name, "resourceVersion": str(at)}} for name, at in objects.items()]
    return orjson.dumps({"metadata": {"resourceVersion": str(version)}, "items": items})


async def test_what_went_while_the_watch_was_behind_is_told_as_deleted_and_what_came_since_is_not() -> None:
    told = Told()
    informer = ObjectInformer(Client(Connection("http://nowhere")), [None], CONFIG_MAPS, told.seen)
    informer.page(None, page(5, stays=1, goes=2))
    informer.listed(None, 5)
    made = {"metadata": {"namespace": "n", "name": "new", "resourceVersion": "9"}}
    informer.event("ADDED", orjson.dumps(made))
    informer.page(None, page(8, stays=1))
    informer.listed(None, 8)
    assert set(told.there) == {"stays", "new"} and told.calls == 4
    informer.take(None, orjson.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}))
    assert informer._reached[None] == "12"


async def test_an_event_that_comes_twice_is_told_once() -> None:
    async with ApiServer() as server:
        server.faults.add(Fault("duplicate", verb="watch", resource="configmaps", times=None))
        async with following(server) as (client, told):
            await client.create(CONFIG_MAPS, "default", config("a"))
            await client.create(CONFIG_MAPS, "default", config("b"))
            await told.becomes({"a": {}, "b": {}})
            assert told.calls == 2
