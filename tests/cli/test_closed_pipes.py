"""Readers of standard output may stop, as `head` does: the command ends quietly, in order, and with one exit code."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tradewind.cli.dev import kubeconfig
from tradewind.kube.resources import RUNS
from tradewind.local.session import session

from cli.scene import scene

CLOSED = "141\n"
SLOW = """
apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata: {name: slow}
spec:
  defaults: {image: x}
  tasks:
    up: {script: {shell: "true"}}
    work: {dependsOn: [up], script: {shell: "while :; do echo tick; sleep 0.05; done"}}
    down: {teardown: {of: [up]}, script: {shell: "echo done > torn"}}
"""


def shell(arguments: str, lines: int = 1) -> list[str]:
    """A shell that prints the exit code of a command of whose output some lines are read."""
    return [
        "bash",
        "-c",
        f"exec 3>&1; {{ {sys.executable} -m tradewind.cli {arguments}; echo $? >&3; }} | head -{lines} >/dev/null",
    ]


@pytest.mark.parametrize("how", ["", " 2>&1"])
def test_a_run_here_is_cancelled_in_order(tmp_path: Path, how: str) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    done = subprocess.run(shell(f"run -f slow.yaml{how}", 3), cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert (tmp_path / "torn").exists(), done.stderr
    assert done.stdout == CLOSED and "Traceback" not in done.stderr and "exception" not in done.stderr, done.stderr


async def test_what_follows_a_run_of_a_cluster_ends_and_the_run_goes_on(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        (tmp_path / "slow.yaml").write_text(SLOW)
        (tmp_path / "k").write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token)))
        for command in ("apply -f slow.yaml", "run slow --watch --log --name r", "watch r --log", "logs r -f"):
            process = await asyncio.create_subprocess_exec(
                *shell(f"--kubeconfig k {command}", 2),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, told = (part.decode() for part in await process.communicate())
            assert (out, told) == ("0\n" if command.startswith("apply") else CLOSED, ""), command
        assert (await here.client.get(RUNS, "default", "r"))["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    "command", ["get runs", "get runs -o yaml", "describe d-1", "lint bad.yaml", "explain dag", "--help", "version"]
)
async def test_what_prints_and_ends_has_the_same_exit_code(tmp_path: Path, command: str) -> None:
    (tmp_path / "bad.yaml").write_text("kind: DAG\n")
    async with scene(tmp_path) as there:
        await there.run("d-1", {"a": {}})
        away, ours = os.pipe()
        os.close(away)
        process = await there.start(
            *command.split(), config=command.startswith(("get", "describe")), stdout=ours, cwd=str(tmp_path)
        )
        os.close(ours)
        _, told = await process.communicate()
    assert (
        f"{process.returncode}\n" == CLOSED
        and b"rror" not in told.replace(b"1 error", b"")
        and b"Traceback" not in told
    ), told


def test_without_any_output_commands_work(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    command = f"{sys.executable} -m tradewind.cli lint slow.yaml >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path, timeout=100).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["lint d.yaml", "lint d.yaml -o json", "explain DAG", "--help"])
def test_a_full_disk_is_told_in_a_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "d.yaml").write_text(
        "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\nspec: {tasks: {a: {image: x, imag: y}}}"
    )
    line = f"{sys.executable} -m tradewind.cli {command} > /dev/full"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 74, done.stderr
    assert done.stderr.endswith("Error: standard output can't be written: No space left on device\n")
    assert "Traceback" not in done.stderr
