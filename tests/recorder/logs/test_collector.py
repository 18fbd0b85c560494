"""Logs are stored when attempts end: whole, or with the reason why not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import NotFound, Unavailable
from tradewind.kube.resources import NAMESPACES, PODS
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests
from tradewind.recorder.collector import PacedClient
from tradewind.recorder.logs import collector as module
from tradewind.recorder.logs.collector import LogCollector
from tradewind.recorder.logs.shelf import Shelf, StoredLog, logs_of, read
from tradewind.recorder.origin import Origins
from tradewind.recorder.store.database import Database

RUN = "uid-of-run"


class Cluster:
    """An API server with pods whose logs are given."""

    def __init__(self, server: ApiServer, client: Client, database: Database, folder: Path) -> None:
        self.client, self.database, self.folder = client, database, folder
        self.namespace = "default"
        self.printed: dict[str, list[bytes]] = {}
        self.going_on: dict[str, asyncio.Event] = {}
        server.log_source = self._logs

    async def _logs(
        self, namespace: str, pod: str, container: str, *, follow: bool = False, **_: Any
    ) -> AsyncIterator[bytes]:
        for chunk in list(self.printed.get(pod, [])):
            yield chunk
        if follow and pod in self.going_on:
            await self.going_on[pod].wait()
            yield b"last words\n"

    async def pod(self, name: str, task: str = "load", **more: Any) -> None:
        labels = {
            "tradewind.dev/run-uid": RUN,
            "tradewind.dev/run": "etl-1",
            "tradewind.dev/task": task,
            "tradewind.dev/attempt": "1",
        }
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels, **more},
            "spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"},
        }
        await self.client.create(PODS, self.namespace, body)

    async def state(self, name: str, phase: str, **state: Any) -> None:
        main = {"name": "main", "state": state, "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
        status = {"phase": phase, "containerStatuses": [main]}
        await self.client.patch(PODS, self.namespace, name, {"status": status}, "status")

    async def run(self, name: str) -> None:
        await self.state(name, "Running", running={"startedAt": "2026-05-01T06:00:00Z"})

    async def end(self, name: str) -> None:
        times = {"startedAt": "2026-05-01T06:00:00Z", "finishedAt": "2026-05-01T06:00:09Z"}
        await self.state(name, "Succeeded", terminated={"exitCode": 0, **times})

    def collector(self, client: Client | None = None) -> LogCollector:
        async def in_writer(function: Callable[..., Any], *arguments: Any) -> Any:
            return function(*arguments)

        made = client or self.client
        shelf = Shelf(self.folder, self.database)
        return LogCollector(made, self.database, shelf, Origins(self.client, "cluster"), in_writer)

    def stored(self) -> dict[str, StoredLog]:
        return {log.pod: log for log in logs_of(self.database, "default", RUN)}

    def text(self, pod: str) -> bytes:
        return b"".join(read(self.database, self.folder, self.stored()[pod].id))


@asynccontextmanager
async def cluster(database: Database, folder: Path) -> AsyncIterator[Cluster]:
    server = ApiServer(crds=manifests(), token="t")
    await server.start()
    try:
        async with Client(Connection(server.url, authorization=lambda: "Bearer t")) as client:
            yield Cluster(server, client, database, folder)
    finally:
        await server.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)


async def test_logs_are_stored_to_the_byte_when_their_pods_end(database: Database, tmp_path: Path) -> None:
    printed = {
        "none": [],
        "no-end": [b"a\nb"],
        "odd": [b"10%\r20%\r", b"\xff\xfe\0\n"],
        "long": [b"x" * 1_000_000, b"\n"],
        "before": [b"ended before\n"],
    }
    async with cluster(database, tmp_path) as here:
        here.printed = printed
        await here.pod("before")
        await here.run("before")
        await here.end("before")
        collector = here.collector()
        async with tasks([collector.run()]):
            for name in printed:
                if name != "before":
                    await here.pod(name)
                    await here.run(name)
                    await here.end(name)
            await until(lambda: len(here.stored()) == len(printed))
        assert {name: here.text(name) for name in printed} == {name: b"".join(text) for name, text in printed.items()}
        assert all(log.complete and log.task == "load" for log in here.stored().values())


async def test_what_is_not_stored_yet_is_above_the_watermark(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(database, tmp_path) as here:
        held, ended = asyncio.Event(), dict[str, int]()

        class Slow(Client):
            async def log_bytes(self, namespace: str, pod: str, silence: float, **query: str) -> AsyncIterator[bytes]:
                if pod == "slow":
                    await held.wait()
                yield b"x"

        async with Slow(here.client.connection) as client:
            collector = here.collector(client)
            async with tasks([collector.run()]):
                for name in ("slow", "quick"):
                    await here.pod(name)
                    await here.run(name)
                    await here.end(name)
                    found = await here.client.get(PODS, "default", name)
                    ended[name] = int(found["metadata"]["resourceVersion"])
                await until(lambda: "quick" in here.stored())
                assert 0 < collector.reached < ended["slow"]
                held.set()
                await until(lambda: collector.reached >= ended["quick"])
                assert set(here.stored()) == {"slow", "quick"}
            collector.close()


async def test_a_pod_that_is_stopped_is_followed_to_its_last_words(database: Database, tmp_path: Path) -> None:
    async with cluster(database, tmp_path) as here:
        here.printed, here.going_on = {"p": [b"first\n"]}, {"p": asyncio.Event()}
        await here.pod("p", finalizers=["tests/hold"])
        await here.run("p")
        collector = here.collector()
        async with tasks([collector.run()]):
            await collector.watch.synced.wait()
            await here.client.delete(PODS, "default", "p")
            await until(lambda: collector.waiting == 1)
            await here.end("p")
            here.going_on["p"].set()
            await until(lambda: "p" in here.stored())
        assert here.text("p") == b"first\nlast words\n"
        collector.close()


async def test_a_log_that_can_t_be_read_has_a_row_that_says_why(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 10)

    class Broken(Client):
        async def log_bytes(self, namespace: str, pod: str, silence: float, **query: str) -> AsyncIterator[bytes]:
            yield b"begun\n" if pod != "large" else b"0123456789abc"
            if pod == "gone":
                raise NotFound(404, "NotFound", "pod not found")
            if pod == "lost":
                raise Unavailable(502, "", "no route to host")

    async with cluster(database, tmp_path) as here, Broken(here.client.connection) as client:
        collector = here.collector(client)
        async with tasks([collector.run()]):
            for name in ("gone", "lost", "large", "fine"):
                await here.pod(name)
                await here.run(name)
                await here.end(name)
            await until(lambda: len(here.stored()) == 4)
        found = {name: (log.reason, log.complete) for name, log in here.stored().items()}
        assert found == {
            "gone": ("PodDeleted", False),
            "lost": ("NodeLost", False),
            "large": ("TooLarge", False),
            "fine": ("", True),
        }
        assert here.text("large") == b"0123456789" and here.text("gone") == b"begun\n" == here.text("lost")


async def test_a_pod_deleted_at_once_has_a_row_too(database: Database, tmp_path: Path) -> None:
    async with cluster(database, tmp_path) as here:
        await here.pod("p")
        await here.run("p")
        collector = here.collector()
        async with tasks([collector.run()]):
            await collector.watch.synced.wait()
            await here.client.delete(PODS, "default", "p", gracePeriodSeconds=0)
            await until(lambda: "p" in here.stored())
        assert here.stored()["p"].reason == "PodDeleted"


async def test_pods_that_never_ran_and_those_on_record_are_not_read(database: Database, tmp_path: Path) -> None:
    async with cluster(database, tmp_path) as here:
        here.printed = {"p": [b"once\n"]}
        await here.pod("never")
        await here.pod("p")
        await here.run("p")
        await here.end("p")
        for collector in (here.collector(), here.collector()):
            async with tasks([collector.run()]):
                while not collector.reached or collector.waiting:
                    await asyncio.sleep(0.01)
            here.printed = {"p": [b"twice\n"]}
        last = here.collector()
        async with tasks([last.run()]):
            await last.watch.synced.wait()
            await here.client.delete(PODS, "default", "never")
            await here.pod("later")
            await here.run("later")
            await here.end("later")
            await until(lambda: "later" in here.stored())
        assert set(here.stored()) == {"p", "later"} and here.text("p") == b"once\n"


async def test_while_the_store_is_away_a_log_is_tried_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tradewind.recorder.store.database import StoreError

    tries = 0
    real = Shelf.commit

    def stubborn(self: Shelf, *arguments: Any) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise StoreError("the disk is full")
        real(self, *arguments)

    monkeypatch.setattr(Shelf, "commit", stubborn)
    async with cluster(database, tmp_path) as here:
        here.printed = {"p": [b"kept\n"]}
        await here.pod("p")
        await here.run("p")
        await here.end("p")
        collector = here.collector()
        async with tasks([collector.run()]):
            await until(lambda: "p" in here.stored())
        assert here.text("p") == b"kept\n" and tries == 4


class Held(PacedClient):
    """Logs of a namespace come when they are let go."""

    going: asyncio.Event

    async def log_bytes(self, namespace: str, pod: str, silence: float, **query: str) -> AsyncIterator[bytes]:
        if namespace == "default":
            await self.going.wait()
        yield b"x"


async def test_a_namespace_with_many_slow_logs_keeps_those_of_others_from_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with cluster(database, tmp_path) as here, Held(here.client.connection) as client:
        client.going = asyncio.Event()
        collector = here.collector(client)
        async with tasks([collector.run()]):
            for n in range(module.AT_ONCE + 5):
                await here.pod(f"p-{n}")
                await here.run(f"p-{n}")
                await here.end(f"p-{n}")
            await here.client.create(NAMESPACES, "", {"metadata": {"name": "other"}})
            here.namespace = "other"
            await here.pod("p")
            await here.run("p")
            await here.end("p")
            await until(lambda: bool(logs_of(database, "other", RUN)))
            client.going.set()
            await until(lambda: len(here.stored()) == module.AT_ONCE + 5)


async def test_no_more_logs_wait_than_fit_into_memory(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    async with cluster(database, tmp_path) as here, Held(here.client.connection) as client:
        client.going = asyncio.Event()
        collector = here.collector(client)
        most = 0
        async with tasks([collector.run()]):
            await collector.watch.synced.wait()
            for n in range(30):
                await here.pod(f"p-{n}")
                await here.run(f"p-{n}")
                await here.end(f"p-{n}")
                most = max(most, collector.waiting)
            client.going.set()
            await until(lambda: len(here.stored()) == 30)
        assert most <= 6


async def test_few_pods_of_a_namespace_are_followed_and_the_others_read_at_their_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOWED_SHARE", 2)
    async with cluster(database, tmp_path) as here:
        names = [f"p-{n}" for n in range(5)]
        here.printed = {name: [b"said\n"] for name in names}
        here.going_on = {name: asyncio.Event() for name in names}
        collector = here.collector()
        for name in names:
            await here.pod(name, finalizers=["tests/hold"])
            await here.run(name)
        async with tasks([collector.run()]):
            await collector.watch.synced.wait()
            for name in names:
                await here.client.delete(PODS, "default", name)
            await until(lambda: collector.waiting == 2)
            for name in names:
                await here.end(name)
                here.going_on[name].set()
            await until(lambda: len(here.stored()) == 5)
        assert all(here.text(name).startswith(b"said\n") and here.stored()[name].complete for name in names)
        collector.close()


async def test_begun_again_nothing_counts_as_stored_until_all_pods_are_listed(
    database: Database, tmp_path: Path
) -> None:
    async with cluster(database, tmp_path) as here:
        collector = here.collector()
        async with tasks([collector.run()]):
            await until(lambda: collector.reached > 0)
            collector.begin_again()
            assert collector.reached == 0
            await until(lambda: collector.reached > 0)
