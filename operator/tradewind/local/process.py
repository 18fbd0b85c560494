"""A container's process on this machine: started in its own group, ended with everything that it started."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

MESSAGE_LIMIT = 4_096
"""The kubelet keeps the last bytes of a termination message, up to this many."""


class NotStarted(Exception):
    """The program could not be started; the message is worded as a container runtime words it."""


class Process:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process, message_path: Path) -> None:
        self._process, self._message_path = process, message_path

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str], cwd: str, log: Path, message: Path) -> "Process":
        """Starts `argv` with stdout and stderr in `log`. Raises NotStarted."""
        message.touch()
        with log.open("ab") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    env=dict(env),
                    cwd=cwd,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise NotStarted(f'exec: "{argv[0]}": executable file not found in $PATH') from None
            except (OSError, ValueError) as error:
                raise NotStarted(f'exec: "{argv[0]}": {error}') from None
        return cls(process, message)

    async def wait(self) -> int:
        """The exit code, as a shell gives it: 128 + n for signal n. What the program left running is killed."""
        code = await self._process.wait()
        self.kill()
        return 128 - code if code < 0 else code

    async def stop(self, grace: float) -> None:
        """Asks the group to end, and kills it after `grace` seconds."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.wait()), grace)
        self.kill()

    def kill(self) -> None:
        """Ends the whole group at once."""
        self._signal(signal.SIGKILL)

    def message(self) -> str:
        """What the program wrote as its termination message."""
        with contextlib.suppress(OSError):
            return self._message_path.read_bytes()[-MESSAGE_LIMIT:].decode(errors="replace")
        return ""

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
