"""The runs of a DAG are read once, however many of its runs ask at the same time."""

import asyncio
from typing import Any

import orjson
from tradewind.control.dagrun.run_index import RunIndex
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.resources import Resource


class Listing(Client):
    """Answers each list with one run, after others have had their turn."""

    def __init__(self) -> None:
        super().__init__(Connection("http://nowhere"))
        self.asked: list[str] = []
        self.most = self.now = 0

    async def list_raw(self, resource: Resource, namespace: str | None, *_: Any, **query: Any) -> bytes:
        self.asked.append(f"{namespace} {query['fieldSelector']}")
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        meta = {"name": "r", "namespace": namespace, "uid": "u", "resourceVersion": "1"}
        run = {"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dag": "d"}}
        return orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": [run]})


async def test_runs_that_ask_at_the_same_time_share_one_reading() -> None:
    client = Listing()
    index = RunIndex(client)
    found = await asyncio.gather(*(index.of(("ns", "d")) for _ in range(20)))
    assert client.asked == ["ns spec.dag=d"] and all(runs.keys() == {"r"} for runs in found)


async def test_the_dags_of_a_namespace_are_read_one_after_another_and_delay_no_other_namespace() -> None:
    client = Listing()
    index = RunIndex(client)
    await asyncio.gather(*(index.of(("ns", f"d{number}")) for number in range(20)))
    assert len(client.asked) == 20 and client.most == 1
    await asyncio.gather(*(index.of((name, "d")) for name in ("a", "b")))
    assert client.most == 2
