import asyncio
import os
import sys
from pathlib import Path

import pytest
from tradewind.local.process import NotStarted, Process

ENV = {"PATH": os.environ["PATH"]}


async def start(folder: Path, *argv: str) -> Process:
    return await Process.start(argv, ENV, str(folder), folder / "log", folder / "message")


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.01)


async def test_exit_code_and_message(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"echo out; echo err >&2; echo '{{}}' > {tmp_path}/message; exit 3")
    assert await process.wait() == 3
    assert process.message() == "{}\n" and (tmp_path / "log").read_text() == "out\nerr\n"


async def test_a_signal_is_128_and_its_number(tmp_path: Path) -> None:
    assert await (await start(tmp_path, "sh", "-c", "kill -9 $$")).wait() == 137


async def test_a_message_over_the_limit_keeps_its_end(tmp_path: Path) -> None:
    process = await start(tmp_path, sys.executable, "-c", f"open('{tmp_path}/message', 'w').write('a' * 5000 + 'z')")
    await process.wait()
    assert len(process.message()) == 4_096 and process.message().endswith("z")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
async def test_children_left_behind_are_killed(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid")
    await process.wait()
    await gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done")
    async with asyncio.timeout(5):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
    await process.stop(0.1)
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_command_that_does_not_exist_is_worded_as_a_runtime_words_it(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match='exec: "nope": executable file not found'):
        await start(tmp_path, "nope")
