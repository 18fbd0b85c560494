"""A container's process on this machine. Stopping it stops every process that it started. See `minder`."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tradewind.local import minder

MESSAGE_LIMIT = 4_096
"""Bytes of a termination message that the kubelet keeps: the last ones."""


class NotStarted(Exception):
    """The program could not be started; the message has a container runtime's words."""


class Process:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process, message_path: Path) -> None:
        self._process, self._message_path = process, message_path

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str], cwd: str, log: Path, message: Path) -> "Process":
        """Starts `argv` with stdout and stderr in `log`. Raises NotStarted."""
        message.touch()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", minder.__file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        order = {"argv": list(argv), "env": dict(env), "cwd": cwd, "log": str(log)}
        running = cls(process, message)
        try:
            running._send(json.dumps(order).encode() + b"\n")
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            answer = (await process.stdout.readline()).decode(errors="replace")
        except asyncio.CancelledError:
            running.kill()
            raise
        if answer != "\n":
            await running.wait()
            raise NotStarted(f'exec: "{argv[0]}": {answer.strip() or "it ended before it began"}')
        return running

    async def wait(self) -> int:
        """The exit code, as a shell gives it: 128 + n for signal n. Processes that the program left behind have been
        killed by then."""
        code = await self._process.wait()
        self.kill()
        return 128 - code if code < 0 else code

    async def stop(self, grace: float) -> None:
        """Asks the process group to end, and kills it after `grace` seconds."""
        self._send(b"t")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._process.wait()
        self.kill()

    def kill(self) -> None:
        """Kills all of it at once."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.close()

    def message(self) -> str:
        """The program's termination message."""
        with contextlib.suppress(OSError):
            return self._message_path.read_bytes()[-MESSAGE_LIMIT:].decode(errors="replace")
        return ""

    def _send(self, data: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it is a pipe
        if not stdin.is_closing():
            stdin.write(data)
