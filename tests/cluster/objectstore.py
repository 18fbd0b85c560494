"""A real S3-compatible server on this machine, for tests that need one: versitygw over a folder."""

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import binaries
from cluster.settings import HOST_IP, HOST_LINK
from cluster.shell import ClusterError, wait_until


@dataclass(frozen=True)
class ObjectStore:
    """A server with one bucket. `folder` is what is behind the bucket."""

    port: int
    access: str
    secret: str
    folder: Path
    bucket: str = "results"

    def endpoint(self, host: str = "127.0.0.1") -> str:
        """Its address for a client that reaches this machine as `host`."""
        return f"http://{host}:{self.port}"


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A server over `folder`; pods of the self-made cluster reach it too. Skips where it can't be built."""
    try:
        program = binaries.versitygw()
    except (ClusterError, OSError) as problem:
        tell = pytest.fail if os.environ.get("TRADEWIND_REQUIRE_E2E") == "1" else pytest.skip
        tell(f"needs Go, to build versitygw: {problem}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hosts = ["127.0.0.1", *([HOST_IP] if Path("/sys/class/net", HOST_LINK).exists() else [])]
    store = ObjectStore(port, "tester", secrets.token_hex(16), folder / "results")
    (folder / "results").mkdir()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "--quiet", *(word for host in hosts for word in ("--port", f"{host}:{port}")), "posix", folder],
            env={**os.environ, "ROOT_ACCESS_KEY": store.access, "ROOT_SECRET_KEY": store.secret},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: _answers(port), "the object store", 20)
        yield store
    finally:
        server.terminate()
        server.wait(10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
