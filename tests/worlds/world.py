"""What a test can do in a world."""

import asyncio
import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.connection import connect
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import DAGS, EVENTS, PODS, RUNS, Resource
from tradewind.model.run import FINAL_PHASES

from worlds.commands import program

Body = dict[str, Any]
IMAGE = f"ghcr.io/tradewind-dev/tradewind:{metadata.version('tradewind')}"
"""Tradewind's own image, as `cluster.load_image("operator")` brings it to a cluster."""

LEASE = "tests-tradewind-reading"
"""The name of their Lease, which the policies for both accounts let them write (worlds/accounts.py)."""


@dataclass
class World:
    """A namespace of a server. `work` is a folder that all tasks share, as tasks see it; `settings` goes into every
    DAG's defaults."""

    name: str
    kubeconfig: Path
    namespace: str
    work: str
    settings: Body = field(default_factory=dict)
    operators: Mapping[bool, Path] = field(default_factory=dict)
    """The kubeconfig that an operator uses, by whether it reads Secrets; that of the tests if there is none."""

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of its own."""
        async with Client(connect(str(self.kubeconfig))) as client:
            yield client

    @contextlib.contextmanager
    def operator(self, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
        """An operator process for this namespace; killed at the end."""
        process = self.start_operator(**env)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> Path:
        """The log of its operators."""
        return Path(os.environ.get("TRADEWIND_TEST_LOGS", "/tmp")) / f"tradewind-operator-{self.namespace}.log"

    def start_operator(self, *flags: str, **env: str) -> "subprocess.Popen[bytes]":
        """The same, for tests that kill it themselves."""
        command = [
            sys.executable,
            "-m",
            "tradewind.cli",
            "operator",
            "--kubeconfig",
            str(self.operators.get("--read-secrets" in flags, self.kubeconfig)),
            "--metrics-port",
            "0",
        ]
        command += [
            "--http-allow",
            "127.0.0.0/8",
            "--namespace",
            self.namespace,
            "--lease-namespace",
            self.namespace,
        ]  # flags can say otherwise
        identity = env.pop("identity", "")
        command += ["--lease-name", f"{LEASE}-{identity}" if identity else LEASE]
        command += flags
        with self.log.open("ab") as output:
            return subprocess.Popen(
                command, stdout=output, stderr=output, env={"TRADEWIND_IMAGE": IMAGE, **os.environ, **env}
            )

    def dag(self, name: str, tasks: Body, **spec: Any) -> Body:
        """A DAG whose tasks can run here."""
        defaults = {
            "image": "python:3.11-slim",
            "retries": {"backoff": {"initial": "100ms"}},
            **self.settings,
            **spec.pop("defaults", {}),
        }
        return {
            "apiVersion": API_VERSION,
            "kind": "DAG",
            "metadata": {"name": name},
            "spec": {"defaults": defaults, "tasks": tasks, **spec},
        }

    async def create(self, client: Client, resource: Resource, body: Body) -> Body:
        """Creates an object; returns the stored one."""
        stored: Body = orjson.loads(await client.create(resource, self.namespace, body))
        return stored

    async def start(self, client: Client, dag: Body | str, name: str = "", **params: Any) -> str:
        """Creates the DAG (unless it is only named) and a run of it; returns the run's name."""
        if isinstance(dag, dict):
            await self.create(client, DAGS, dag)
        target = dag if isinstance(dag, str) else dag["metadata"]["name"]
        body = {
            "apiVersion": API_VERSION,
            "kind": "DAGRun",
            "metadata": {"name": name} if name else {"generateName": f"{target}-"},
            "spec": {"dag": target, "params": params},
        }
        return str((await self.create(client, RUNS, body))["metadata"]["name"])

    async def until(self, client: Client, name: str, holds: Callable[[Body], Any], seconds: float = 200) -> Body:
        """The run, once `holds(its status)` is true."""
        last: Body = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(ApiError):
                        last = await client.get(RUNS, self.namespace, name)
                        if holds(last.get("status") or {}):
                            return last
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"still not after {seconds} s: {last.get('status')}") from None

    async def finished(self, client: Client, name: str, seconds: float = 200) -> Body:
        """The status of the run, once it has ended."""
        found = await self.until(client, name, lambda status: status.get("phase") in FINAL_PHASES, seconds)
        return dict(found["status"])

    async def result(self, client: Client, dag: Body | str, seconds: float = 200, **params: Any) -> Body:
        """Starts a run; returns its status once it has ended."""
        return await self.finished(client, await self.start(client, dag, **params), seconds)

    async def pods(self, client: Client, run: str) -> list[Body]:
        """The run's pods."""
        uid = (await client.get(RUNS, self.namespace, run))["metadata"]["uid"]
        return list((await client.list(PODS, self.namespace, labelSelector=f"{RUN_UID}={uid}"))["items"])

    async def events(self, client: Client, name: str) -> list[tuple[str, str]]:
        """Reason and message of every Event on an object."""
        found = await client.list(EVENTS, self.namespace, fieldSelector=f"involvedObject.name={name}")
        return [(item["reason"], item["message"]) for item in found["items"]]


def secret_of(name: str, values: Mapping[str, str]) -> Body:
    """A Secret with these values."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def tradewind(world: World, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs a command in the world's namespace to its end."""
    command = [*program(), *arguments]
    command += ["-n", world.namespace, "--kubeconfig", str(world.kubeconfig)]
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=200, env=env)


def printed(world: World, *arguments: str, stdin: str = "") -> str:
    """The output of a command, which must succeed."""
    done = tradewind(world, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def eventually(check: Callable[[], Any], seconds: float = 100) -> Any:
    """The first true result of an async check."""
    async with asyncio.timeout(seconds):
        while True:
            if answer := await check():
                return answer
            await asyncio.sleep(0.05)
