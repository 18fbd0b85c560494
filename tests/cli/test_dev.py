"""`tradewind dev` and `run -f` on a machine with unusual settings."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tradewind.cli.dev import kubeconfig
from tradewind.cli.laptop.kubeconfig_file import KubeconfigFile

NAME = "k.kubeconfig"


@asynccontextmanager
async def dev(folder: Path, *more: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "tradewind.cli", "dev", "--write-kubeconfig", NAME, *more]
    pipe = asyncio.subprocess.PIPE
    hears = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)  # Under nohup it would be ignored.
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **env}, stdout=pipe, stderr=pipe, preexec_fn=hears
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


async def up(process: asyncio.subprocess.Process) -> None:
    assert process.stdout and (await process.stdout.readline()).startswith(b"export KUBECONFIG=")


async def refused(process: asyncio.subprocess.Process) -> str:
    _, told = await process.communicate()
    assert process.returncode == 1 and b"Traceback" not in told, told
    return told.decode()


async def test_a_kubeconfig_is_its_owners_and_goes_with_the_session(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with dev(tmp_path) as process:
            await up(process)
            assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    assert process.returncode == 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["mine", "clusters: [", "apiVersion: v1\nkind: Config\nclusters: []\n", ""])
async def test_a_file_of_others_stays(tmp_path: Path, what: str) -> None:
    (tmp_path / NAME).write_text(what)
    (tmp_path / NAME).chmod(0o640)
    async with dev(tmp_path) as process:
        assert "has not written it" in await refused(process)
    assert (tmp_path / NAME).read_text() == what and (tmp_path / NAME).stat().st_mode & 0o777 == 0o640


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / NAME).symlink_to("precious")
    async with dev(tmp_path) as process:
        await refused(process)
    assert (tmp_path / "precious").read_text() == "mine" and (tmp_path / NAME).is_symlink()


async def test_a_second_session_is_told_of_the_first(tmp_path: Path) -> None:
    async with dev(tmp_path) as first:
        await up(first)
        written = (tmp_path / NAME).read_bytes()
        async with dev(tmp_path) as second:
            told = await refused(second)
        assert "uses it" in told and "name another file" in told
        assert (tmp_path / NAME).read_bytes() == written


async def test_what_a_killed_session_has_left_is_replaced(tmp_path: Path) -> None:
    async with dev(tmp_path) as first:
        await up(first)
        first.kill()
        await first.wait()
    left = (tmp_path / NAME).read_bytes()
    async with dev(tmp_path) as second:
        await up(second)
        assert (tmp_path / NAME).read_bytes() != left
    assert not list(tmp_path.iterdir())


async def test_a_file_that_has_changed_since_stays(tmp_path: Path) -> None:
    async with dev(tmp_path) as process:
        await up(process)
        (tmp_path / NAME).write_text("mine")
    assert (tmp_path / NAME).read_text() == "mine"


async def test_a_port_in_use_is_told_and_costs_no_file(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with dev(tmp_path, "--port", str(taken.getsockname()[1])) as process:
            assert "is in use" in await refused(process)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nowhere/k", f"{'x' * 300}", "/proc/k"])
async def test_a_folder_that_takes_no_file_is_told(tmp_path: Path, name: str) -> None:
    async with dev(tmp_path, "--write-kubeconfig", name) as process:
        assert "name another file" in await refused(process)


@pytest.mark.parametrize("command", ["dev", "run"])
async def test_no_folder_for_the_session_is_told(tmp_path: Path, command: str) -> None:
    if command == "run":
        (tmp_path / "dag.yaml").write_text(
            "{apiVersion: tradewind.dev/v1alpha1, kind: DAG, metadata: {name: d}, spec: {tasks: {t: {compute: {a: '1'}}}}}"
        )
    arguments = ["run", "-f", "dag.yaml"] if command == "run" else ["dev"]
    program = (
        "import sys, tempfile; tempfile.tempdir = '/proc'; from tradewind.cli.main import main; main(sys.argv[1:])"
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, cwd=tmp_path, stdout=pipe, stderr=pipe
    )
    assert "$TMPDIR" in await refused(process)


def test_two_that_start_at_once_do_not_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = KubeconfigFile(tmp_path / NAME), KubeconfigFile(tmp_path / NAME)
    second.check()
    first.write(kubeconfig("http://127.0.0.1:1", "a"))
    monkeypatch.setattr("tradewind.cli.laptop.kubeconfig_file._lives", lambda server: True)
    with pytest.raises(Exception, match="uses it"):
        second.write(kubeconfig("http://127.0.0.1:2", "b"))
    second.remove()
    assert b"127.0.0.1:1/a" in (tmp_path / NAME).read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


async def test_it_tells_of_runs_and_ends_with_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(
        "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\nspec: {tasks: {a: {compute: {x: '1'}}}}\n"
    )
    async with dev(tmp_path) as process:
        await up(process)
        for arguments in (["apply", "-f", "d.yaml"], ["run", "d", "--name", "r"]):
            command = [sys.executable, "-m", "tradewind.cli", *arguments, "--kubeconfig", NAME]
            assert await (await asyncio.create_subprocess_exec(*command, cwd=tmp_path)).wait() == 0
        assert process.stderr
        while not (line := await process.stderr.readline()).startswith(b"default/r Succeeded"):
            assert line, "it ended without a word"
        process.send_signal(signal.SIGHUP)
        assert b"are gone" in await process.stderr.read()
        assert await process.wait() == 0 and not (tmp_path / NAME).exists()
