"""A world on this machine: embedded API server and kubelet in a thread; the operator is a process that can be killed."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from tradewind.cli.dev import kubeconfig
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.local.apiserver import ApiServer
from tradewind.local.kubelet import Kubelet
from tradewind.model.crd import manifests

from worlds.world import Body, World


@contextmanager
def embedded(folder: Path, crds: list[Body] | None = None) -> Iterator[Callable[[str], World]]:
    """Makes worlds: one per namespace, all on one server, with the CRDs of this version unless others are given."""
    started = threading.Event()
    runner = asyncio.Runner()
    stop = asyncio.Event()
    url: list[str] = []

    async def serve() -> None:
        server = ApiServer(crds=crds or manifests(), token="test")
        await server.start()
        url.append(server.url)
        async with Client(Connection(server.url, authorization=lambda: "Bearer test")) as client:
            kubelet = Kubelet(client, folder, str(folder))
            server.log_source = kubelet.logs
            running = asyncio.create_task(kubelet.run())
            started.set()
            await stop.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await server.stop()

    def run() -> None:
        with runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not started.wait(20):
        raise RuntimeError("the embedded server did not start")
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(url[0], "test")))

    def world(namespace: str) -> World:
        from urllib.request import Request, urlopen

        body = f'{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{namespace}"}}}}'.encode()
        headers = {"Authorization": "Bearer test", "Content-Type": "application/json"}
        urlopen(Request(f"{url[0]}/api/v1/namespaces", data=body, headers=headers)).close()
        work = folder / namespace
        work.mkdir()
        return World("embedded", path, namespace, str(work))

    try:
        yield world
    finally:
        runner.get_loop().call_soon_threadsafe(stop.set)
        thread.join(20)
