"""The pod informer against the embedded server and its faults: it ends up with the existing pods, whatever happens on
the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import orjson
import pytest
from tradewind.kube import pod_informer as informer_module
from tradewind.kube import reflector
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Unavailable
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import Metadata, Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import NAMESPACES, PODS, Resource
from tradewind.local.apiserver import ApiServer, Fault
from worlds.world import eventually


def pod(name: str, run: str = "u1") -> dict[str, object]:
    return {
        "metadata": {"name": name, "labels": {RUN_UID: run}},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]},
    }


@contextlib.asynccontextmanager
async def following(server: ApiServer) -> AsyncIterator[tuple[Client, PodInformer, list[Pod]]]:
    changed: list[Pod] = []
    async with Client(Connection(server.url)) as client:
        informer = PodInformer(client, [None], changed.append, lambda _: True)
        task = asyncio.create_task(informer.run())
        try:
            await asyncio.wait_for(informer.synced.wait(), 100)
            yield client, informer, changed
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def names(informer: PodInformer, run: str = "u1") -> dict[str, bool]:
    return {name: found.gone for name, found in informer.of("default", run).items()}


async def becomes(informer: PodInformer, wanted: dict[str, bool]) -> None:
    async def check() -> bool:
        return names(informer) == wanted

    await eventually(check)


async def test_what_is_there_is_known_when_it_is_synced_and_changes_follow() -> None:
    async with ApiServer() as server:
        async with Client(Connection(server.url)) as client:
            await client.create(PODS, "default", pod("a"))
        async with following(server) as (client, informer, changed):
            assert names(informer) == {"a": False}
            await client.create(PODS, "default", pod("b"))
            await becomes(informer, {"a": False, "b": False})
            await client.delete(PODS, "default", "a")
            await becomes(informer, {"a": True, "b": False})
            assert {pod.metadata.name for pod in changed} == {"a", "b"}


async def test_a_pod_that_vanished_while_the_watch_was_away_is_gone() -> None:
    async with ApiServer() as server, following(server) as (client, informer, _):
        await client.create(PODS, "default", pod("a"))
        await becomes(informer, {"a": False})
        # The next event is lost, and the history with it: only a new list can show it.
        server.faults.add(Fault("gone", verb="watch", resource="pods", times=1))
        server.faults.add(Fault("drop", verb="watch", resource="pods", times=0))
        server.store.compact()
        await client.delete(PODS, "default", "a")
        await client.create(PODS, "default", pod("b"))
        await becomes(informer, {"a": True, "b": False})


@pytest.mark.parametrize("what", ["gone", "drop", "duplicate"])
async def test_broken_watches_lose_nothing(what: str) -> None:
    async with ApiServer() as server:
        server.faults.add(Fault(what, verb="watch", resource="pods", times=3))  # type: ignore[arg-type]
        async with following(server) as (client, informer, _):
            for name in "abcdef":
                await client.create(PODS, "default", pod(name))
            await client.delete(PODS, "default", "c")
            await becomes(informer, {name: name == "c" for name in "abcdef"})


class Breaking(Client):
    """A client whose watches break after each event."""

    async def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[bytes]:
        async for line in super().watch(resource, namespace, **query):
            yield line
            raise Unavailable(0, "ConnectionLost", "")


async def test_a_watch_that_breaks_goes_on_where_it_was() -> None:
    async with ApiServer() as server, Breaking(Connection(server.url)) as client:
        told: list[str] = []
        informer = PodInformer(client, [None], lambda pod: told.append(pod.metadata.name), lambda _: True)
        following = asyncio.create_task(informer.run())
        for name in "ab":
            await client.create(PODS, "default", pod(name))
            await becomes(informer, {name: False})
            await client.patch(PODS, "default", name, {"status": {"phase": "Succeeded"}}, "status")

            async def over(name: str = name) -> bool:
                return told.count(name) == 2

            await eventually(over)
            informer.forget_over("default", "u1")  # its run has ended: an old event would bring it back
        following.cancel()
        assert told == ["a", "a", "b", "b"]


async def test_errors_of_the_server_are_waited_out() -> None:
    async with ApiServer() as server:
        server.faults.add(Fault("error", verb="list", resource="pods", code=500, times=2))
        server.faults.add(Fault("reset", verb="list", resource="pods", times=1))
        async with following(server) as (client, informer, _):
            await client.create(PODS, "default", pod("a"))
            await becomes(informer, {"a": False})


async def test_an_answer_to_a_create_is_not_undone_by_an_older_event() -> None:
    async with ApiServer() as server, following(server) as (client, informer, _):
        from tradewind.kube.pod import parse_pod

        created = parse_pod(await client.create(PODS, "default", pod("a")))
        newer = parse_pod(
            orjson.dumps(await client.patch(PODS, "default", "a", {"status": {"phase": "Running"}}, "status"))
        )
        informer.put(newer)
        informer.put(created)
        assert informer.of("default", "u1")["a"].status.phase == "Running"


async def test_pods_are_forgotten_when_they_are_over_and_settled() -> None:
    async with ApiServer() as server, following(server) as (client, informer, _):
        await client.create(PODS, "default", pod("a"))
        await becomes(informer, {"a": False})
        informer.forget("default", "u1", "a")
        informer.forget_over("default", "u1")
        assert names(informer) == {"a": False}, "it still runs"
        await client.delete(PODS, "default", "a")
        await becomes(informer, {"a": True})
        informer.forget_over("default", "u1")
        assert names(informer) == {}


async def test_the_end_of_an_older_pod_of_the_same_name_is_none_of_the_new_one() -> None:
    """An answer to a create comes before late events."""

    def version(number: int, uid: str, gone: bool = False) -> Pod:
        meta = Metadata(name="a", namespace="default", uid=uid, resource_version=str(number), labels={RUN_UID: "u1"})
        return Pod(meta, gone=gone)

    informer = PodInformer(cast(Client, None), [None], lambda _: None, lambda _: True)
    informer.put(version(5, "old"))
    informer.put(version(9, "new"))
    informer.put(version(7, "old", gone=True))
    assert names(informer) == {"a": False} and informer.of("default", "u1")["a"].metadata.uid == "new"
    informer.put(version(9, "new", gone=True))
    assert names(informer) == {"a": True}


@pytest.mark.parametrize("taken", [{RUN_UID: None}, {RUN_UID: "another"}, {RUN_UID: None, "tradewind.dev/task": None}])
async def test_a_pod_that_lost_its_labels_lives_on_until_it_is_gone(
    taken: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch reports DELETED for a pod that its selector no longer matches, and nothing after that."""
    monkeypatch.setattr(informer_module, "CHECK_INTERVAL", 0.05)
    async with ApiServer() as server, following(server) as (client, informer, _):
        body = pod("a")
        cast(dict[str, Any], body["metadata"])["labels"]["tradewind.dev/task"] = "t"
        await client.create(PODS, "default", body)
        await becomes(informer, {"a": False})
        labels = informer.of("default", "u1")["a"].metadata.labels
        await client.patch(PODS, "default", "a", {"metadata": {"labels": taken}})
        await client.patch(PODS, "default", "a", {"status": {"phase": "Running"}}, "status")

        async def running() -> bool:
            return informer.of("default", "u1")["a"].status.phase == "Running"

        await eventually(running)
        assert names(informer) == {"a": False} and informer.of("default", "u1")["a"].metadata.labels == labels
        await client.delete(PODS, "default", "a")
        await becomes(informer, {"a": True})


class Deaf(Client):
    """A client whose watches report nothing."""

    async def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


async def test_a_list_now_and_then_finds_what_the_watch_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "RESYNC", 0.2)
    async with ApiServer() as server, Deaf(Connection(server.url)) as client:
        await client.create(PODS, "default", pod("a"))
        informer = PodInformer(client, [None], lambda _: None, lambda _: True)
        following = asyncio.create_task(informer.run())
        await becomes(informer, {"a": False})
        await client.create(PODS, "default", pod("b"))
        await client.delete(PODS, "default", "a")
        await becomes(informer, {"a": True, "b": False})
        following.cancel()


async def test_a_pod_of_another_namespace_is_none_of_a_run_whatever_it_says() -> None:
    async with ApiServer() as server, following(server) as (client, informer, _):
        await client.create(PODS, "default", pod("a"))
        await client.create(NAMESPACES, None, {"metadata": {"name": "elsewhere"}})
        await client.create(PODS, "elsewhere", pod("a"))

        async def both() -> bool:
            return bool(informer.of("default", "u1") and informer.of("elsewhere", "u1"))

        await eventually(both)
        assert [found.metadata.namespace for found in informer.of("default", "u1").values()] == ["default"]
