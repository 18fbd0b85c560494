"""`tradewind ui`, and the same page for what runs on this machine."""

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from server.guest import UNSAFE

from cli.scene import Scene, scene

DAG = (
    """{apiVersion: tradewind.dev/v1alpha1, kind: DAG, metadata: {name: d}, spec: {tasks: {t: {compute: {a: '1'}}}}}"""
)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def address(process: asyncio.subprocess.Process, stream: str = "stdout") -> tuple[str, str]:
    """Address and token, as they are printed."""
    pipe = getattr(process, stream)
    async with asyncio.timeout(60):
        while line := await pipe.readline():
            if found := re.search(rb"(http://127\.0\.0\.1:\d+)/#token=(\S+)", line):
                return found[1].decode(), found[2].decode()
    raise AssertionError("no address was printed")


async def me(base: str, token: str) -> dict[str, object]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        answer = await http.post(f"{base}/api/v1/session", json={"token": token}, headers=UNSAFE)
        assert answer.status == 204
        found: dict[str, object] = await (await http.get(f"{base}/api/v1/me")).json()
        return found


async def test_it_prints_its_address_and_ends_with_ctrl_c(here: Scene) -> None:
    process = await here.start("ui", "--no-browser")
    assert (await me(*await address(process)))["mode"] == "kubeconfig"
    process.send_signal(signal.SIGINT)
    _, told = await process.communicate()
    assert process.returncode == 0 and b"Traceback" not in told and b"127.0.0.1" in told


async def test_a_namespace_limits_what_is_shown(here: Scene) -> None:
    process = await here.start("ui", "--no-browser", "-n", "default")
    assert (await me(*await address(process)))["namespace"] == "default"
    process.send_signal(signal.SIGINT)
    await process.communicate()


async def test_a_taken_port_and_no_cluster_are_told_in_one_line(here: Scene) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await here.start("ui", "--no-browser", "--port", str(taken.getsockname()[1]))
        _, told = await process.communicate()
        assert process.returncode == 1 and b"is in use: name another one with --port" in told
    process = await here.start("ui", "--no-browser", "--kubeconfig", "/nowhere", config=False)
    _, told = await process.communicate()
    assert process.returncode == 1 and b"no cluster to talk to" in told and b"Traceback" not in told


async def test_a_local_cluster_is_shown(here: Scene, tmp_path: Path) -> None:
    config = ("--write-kubeconfig", str(tmp_path / "k"))
    process = await here.start("dev", "--ui", "--no-browser", *config, config=False)
    assert (await me(*await address(process, "stderr")))["mode"] == "local"
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_a_run_of_a_file_is_shown_until_ctrl_c(here: Scene, tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(DAG)
    process = await here.start("run", "-f", str(tmp_path / "dag.yaml"), "--ui", "--no-browser", config=False)
    base, token = await address(process, "stderr")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"until Ctrl-C" not in await process.stdout.readline():
            pass
    assert (await me(base, token))["mode"] == "local"
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_an_approval_is_decided_on_the_page_where_there_is_no_terminal(here: Scene, tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(DAG.replace("compute: {a: '1'}", "approval: {message: 'go on?'}"))
    arguments = ("run", "-f", str(tmp_path / "dag.yaml"), "--ui", "--no-browser")
    process = await here.start(*arguments, config=False, stdin=asyncio.subprocess.DEVNULL)
    base, token = await address(process, "stderr")
    assert process.stdout is not None
    async with asyncio.timeout(60), aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        while b"go on?: decide it in the browser" not in await process.stdout.readline():
            pass
        await http.post(f"{base}/api/v1/session", json={"token": token}, headers=UNSAFE)
        rows: list[dict[str, str]] = []
        while not rows:
            rows = (await (await http.get(f"{base}/api/v1/approvals")).json())["approvals"]
        decided = await http.post(
            f"{base}/api/v1/approvals/default/{rows[0]['name']}", json={"approve": True}, headers=UNSAFE
        )
        assert decided.status == 200, await decided.text()
        while b"until Ctrl-C" not in await process.stdout.readline():
            pass
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0
