"""Pages of a list: as many objects as fit, however large they are."""

import asyncio
from typing import Any

import orjson
import pytest
from tradewind.kube import pages
from tradewind.kube.client import Client, Object
from tradewind.kube.connection import Connection
from tradewind.kube.errors import TooLong
from tradewind.kube.object_informer import ObjectInformer
from tradewind.kube.pages import Pager, items
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.local.apiserver import ApiServer


async def test_large_objects_are_read_in_small_pages_and_small_ones_in_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 40_000)
    asked: list[int] = []

    class Notes(Client):
        async def list_raw(self, resource: Any, namespace: str | None = None, *, most: int = 0, **query: str) -> bytes:
            asked.append(int(query["limit"]))
            return await super().list_raw(resource, namespace, most=most, **query)

    async with ApiServer() as server, Notes(Connection(server.url)) as client:
        names = [f"{number:02}" for number in range(40)]
        for name in names:
            body: Object = {"metadata": {"name": name}, "data": {"k": "x" * (20_000 if name < "04" else 10)}}
            await client.create(CONFIG_MAPS, "default", body)
        found = [orjson.loads(item)["metadata"]["name"] async for item in items(client, CONFIG_MAPS, "default", 32)]
        assert found == names and asked[:4] == [32, 8, 2, 1] and max(asked[4:]) > 8
        seen: set[str] = set()
        informer = ObjectInformer(
            client, ["default"], CONFIG_MAPS, lambda body, deleted: seen.add(body["metadata"]["name"])
        )
        task = asyncio.create_task(informer.run())
        try:
            await asyncio.wait_for(informer.synced.wait(), 100)
            assert seen >= set(names)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_one_object_that_is_larger_than_a_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 1_000)
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        await client.create(CONFIG_MAPS, "default", {"metadata": {"name": "a"}, "data": {"k": "x" * 2_000}})
        with pytest.raises(TooLong):
            await Pager(client, CONFIG_MAPS, "default", 10).page()
