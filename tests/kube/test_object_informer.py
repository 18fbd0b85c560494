"""The informer of whole objects against the embedded server and its faults: existing objects are reported, and so are
missed changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
import pytest
from tradewind.kube.client import Client, Object
from tradewind.kube.connection import Connection
from tradewind.kube.object_informer import ObjectInformer
from tradewind.kube.resources import CONFIG_MAPS, Resource
from tradewind.local.apiserver import ApiServer, Fault
from worlds.world import eventually


class Told:
    """What the informer reported, in total."""

    def __init__(self) -> None:
        self.there: dict[str, Object] = {}
        self.calls = 0

    def seen(self, body: Object, deleted: bool) -> None:
        self.calls += 1
        name = body["metadata"]["name"]
        if deleted:
            del self.there[name]  # never twice, and never one that did not exist
        else:
            self.there[name] = body.get("data") or {}

    async def becomes(self, wanted: dict[str, Object]) -> None:
        async def check() -> bool:
            return self.there == wanted

        await eventually(check)


@contextlib.asynccontextmanager
async def following(server: ApiServer) -> AsyncIterator[tuple[Client, Told]]:
    told = Told()
    async with Client(Connection(server.url)) as client:
        informer = ObjectInformer(client, ["default"], CONFIG_MAPS, told.seen)
        task = asyncio.create_task(informer.run())
        try:
            await asyncio.wait_for(informer.synced.wait(), 100)
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
    informer.take_page(None, page(5, stays=1, goes=2))
    informer.end_list(None, 5)
    made = {"metadata": {"namespace": "n", "name": "new", "resourceVersion": "9"}}
    informer.take_event("ADDED", orjson.dumps(made))
    informer.take_page(None, page(8, stays=1))
    informer.end_list(None, 8)
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


class Scripted(Client):
    """A list, and watches of this many lines each."""

    def __init__(self, *watches: list[bytes]) -> None:
        super().__init__(Connection("http://nowhere"))
        self.lists, self._watches = 0, list(watches)

    async def list_raw(self, resource: Resource, namespace: str | None = None, **query: str) -> bytes:
        self.lists += 1
        return page(5, a=1)

    async def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[bytes]:
        for line in self._watches.pop(0) if self._watches else []:
            yield line
        await asyncio.sleep(0.01)


def error(code: int) -> bytes:
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": "InternalError", "message": "etcd"}
    return orjson.dumps({"type": "ERROR", "object": status})


def made(name: str, version: int) -> bytes:
    meta = {"namespace": "n", "name": name, "resourceVersion": str(version)}
    return orjson.dumps({"type": "ADDED", "object": {"metadata": meta}})


@pytest.mark.parametrize("code", [0, 400, 403, 404, 410, 429, 500, 504])
async def test_an_error_in_a_watch_ends_nothing(code: int) -> None:
    told = Told()
    informer = ObjectInformer(Scripted([error(code)], [made("b", 9)]), [None], CONFIG_MAPS, told.seen)
    task = asyncio.create_task(informer.run())
    await told.becomes({"a": {}, "b": {}})
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_fault_of_whoever_hears_of_a_list_ends_nothing() -> None:
    told, faults = Told(), ["a fault"]
    client = Scripted([made("b", 9)])

    class Faulty(ObjectInformer):
        def end_list(self, namespace: str | None, version: int) -> None:
            if faults:
                raise KeyError(faults.pop())
            super().end_list(namespace, version)

    task = asyncio.create_task(Faulty(client, [None], CONFIG_MAPS, told.seen).run())
    await told.becomes({"a": {}, "b": {}})
    assert client.lists == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_object_with_too_many_values_is_told_with_a_field_that_says_so() -> None:
    told: list[Object] = []
    informer = ObjectInformer(Client(Connection("http://none")), [None], CONFIG_MAPS, lambda body, _: told.append(body))
    many = {
        "metadata": {**config("x")["metadata"], "namespace": "a", "resourceVersion": "5"},
        "spec": {"a": [[]] * 160_000},
    }
    informer.take_event("ADDED", orjson.dumps(many))
    assert told[0]["spec"] == {"(more than 150,000 values)": None}
