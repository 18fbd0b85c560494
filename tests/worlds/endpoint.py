"""The event endpoint, as a process, and requests to it."""

import contextlib
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import orjson

from worlds.world import World


@dataclass
class Endpoint:
    """A process that accepts events."""

    process: "subprocess.Popen[bytes]"
    url: str

    async def post(
        self, session: aiohttp.ClientSession, namespace: str, trigger: str, body: Any, query: str = "", **headers: str
    ) -> tuple[int, Any]:
        """Status and answer. Names of headers are written with `_` for `-`."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"{self.url}/v1/events/{namespace}/{trigger}{query}"
        async with session.post(address, data=data, headers=sent, ssl=False) as response:
            return response.status, await response.json()


@contextlib.contextmanager
def endpoint(world: World, *flags: str) -> Iterator[Endpoint]:
    """An endpoint for the world's namespace, ready; killed at the end."""
    port, probes = free_port(), free_port()
    command = [sys.executable, "-m", "tradewind.cli", "events", "--kubeconfig", str(world.kubeconfig)]
    command += ["--namespace", world.namespace, "--port", str(port), "--metrics-port", str(probes), *flags]
    log = Path(os.environ.get("TRADEWIND_TEST_LOGS", "/tmp")) / f"tradewind-events-{world.namespace}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _ready(process, port, probes)
        yield Endpoint(process, f"{'https' if '--cert' in flags else 'http'}://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _ready(process: "subprocess.Popen[bytes]", port: int, probes: int) -> None:
    until = time.monotonic() + 100
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            urlopen(f"http://127.0.0.1:{probes}/readyz", timeout=5).close()
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        time.sleep(0.05)
    raise AssertionError("the endpoint does not get ready")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def signed(secret: str, data: bytes, key: str = "", at: float | None = None) -> dict[str, str]:
    """The headers of a signed event."""
    told = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"{told}\n{key}\n".encode() + data, hashlib.sha256).hexdigest()
    keyed = {"Idempotency_Key": key} if key else {}
    return {"Tradewind_Timestamp": told, "Tradewind_Signature": f"sha256={digest}", **keyed}
