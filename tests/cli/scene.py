"""A scene on an embedded API server: runs as an operator would have left them, without an operator."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml
from tradewind import API_VERSION
from tradewind.cli.dev import kubeconfig
from tradewind.control.dags.revisions import revision_name
from tradewind.control.pods.names import pod_name
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.labels import ATTEMPT, ITEM, RUN_UID, TASK
from tradewind.kube.resources import PODS, REVISIONS, RUNS
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests
from tradewind.model.duration import stamp
from tradewind.plan.outcomes.attempt import parse_key
from worlds.commands import program

Body = dict[str, Any]


class CountingClient(Client):
    """Counts the reads, by resource."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.reads: Counter[str] = Counter()

    async def _request(self, method: str, verb: str, resource: Any, *rest: Any, **more: Any) -> bytes:
        if method == "GET":
            self.reads[resource.plural] += 1
        return await super()._request(method, verb, resource, *rest, **more)


@dataclass
class Scene:
    client: CountingClient
    config: Path
    uids: dict[str, str] = field(default_factory=dict)
    """The runs' uids, by name."""

    async def queued(self, name: str, dag: str, status: Body | None = None) -> None:
        """A run that has not begun."""
        body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}, "spec": {"dag": dag}}
        stored = orjson.loads(await self.client.create(RUNS, "default", body))
        self.uids[name] = stored["metadata"]["uid"]
        if status:
            await self.client.patch(RUNS, "default", name, {"status": {"phase": "Queued", **status}}, "status")

    async def run(self, name: str, tasks: Mapping[str, Body], status: Body | None = None, **spec: Any) -> None:
        """An active run, bound to a revision of DAG `<name up to a dash>`."""
        dag = name.partition("-")[0]
        made = {"defaults": {"image": "x"}, "tasks": {task: {"command": ["x"], **body} for task, body in tasks.items()}}
        made |= spec
        revision = revision_name(dag, made)
        body = {
            "apiVersion": REVISIONS.api_version,
            "kind": "ControllerRevision",
            "metadata": {"name": revision},
            "revision": 1,
            "data": {"spec": made},
        }
        with contextlib.suppress(AlreadyExists):
            await self.client.create(REVISIONS, "default", body)
        await self.queued(name, dag)
        created = (await self.client.get(RUNS, "default", name))["metadata"]["creationTimestamp"]
        begun = {"phase": "Running", "revision": revision, "startedAt": created, **(status or {})}
        await self.client.patch(RUNS, "default", name, {"status": begun}, "status")

    async def pod(self, run: str, key: str, node: str = "", number: int = 1, **status: Any) -> None:
        """The pod of an attempt."""
        task, index = parse_key(key)
        uid = self.uids[run]
        labels = {RUN_UID: uid, TASK: task, ATTEMPT: str(number), **({ITEM: str(index)} if index is not None else {})}
        owner = {"apiVersion": API_VERSION, "kind": "DAGRun", "name": run, "uid": uid}
        name = pod_name(run, task, number, index)
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "main", "image": "x"}], **({"nodeName": node} if node else {})},
        }
        await self.client.create(PODS, "default", body)
        await self.client.patch(PODS, "default", name, {"status": status}, "status")

    async def start(self, *arguments: str, config: bool = True, **files: Any) -> asyncio.subprocess.Process:
        """Starts `tradewind` with this server's kubeconfig."""
        where = ("--kubeconfig", str(self.config)) if config else ()
        command = [*program(), *arguments, *where]
        env = {**os.environ, "COLUMNS": "200", "LINES": "50"}
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, **files}
        return await asyncio.create_subprocess_exec(*command, env=env, preexec_fn=_heed_interrupts, **pipes)

    async def tradewind(self, *arguments: str) -> str:
        """The output of a command, which must succeed."""
        process = await self.start(*arguments)
        out, told = await process.communicate()
        assert process.returncode == 0, told.decode()
        return out.decode()


def _heed_interrupts() -> None:
    """Restores the handling of Ctrl-C as in a terminal. A test run that a shell has put into the background ignores it,
    and so would every process that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main(**state: Any) -> Body:
    """The status of a pod's container."""
    return {
        "containerStatuses": [
            {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        ]
    }


def scheduled(holds: bool, message: str = "") -> Body:
    """The condition of a pod that says whether it has a node."""
    words = {} if holds else {"reason": "Unschedulable", "message": message}
    return {"conditions": [{"type": "PodScheduled", "status": str(holds), "lastTransitionTime": stamp(1e9), **words}]}


@contextlib.asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """An empty scene."""
    async with ApiServer(crds=manifests(), token="test") as server:
        config = folder / "kubeconfig"
        config.write_text(yaml.safe_dump(kubeconfig(server.url, "test")))
        async with CountingClient(Connection(server.url, authorization=lambda: "Bearer test")) as client:
            yield Scene(client, config)
