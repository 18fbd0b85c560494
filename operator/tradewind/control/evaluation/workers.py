"""Evaluates expressions in a separate process, which the kernel kills if it uses too much CPU time or memory."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from tradewind import metrics
from tradewind.control.evaluation.child import LENGTH, TOO_MUCH
from tradewind.control.evaluation.fairlock import FairLock
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.pacing import Evaluation

log = logging.getLogger(__name__)
DEADLINE = 0.1
"""Seconds of CPU time of one evaluation."""
KILL_WAIT_SECONDS = 5.0
"""Seconds after which an evaluation is abandoned that has not even used up its CPU time, as on an overloaded machine."""
IDLE = 60.0
"""Seconds after which a worker without work ends."""
LARGEST_ANSWER = 16 * 2**20
_COMMAND = (sys.executable, "-m", "tradewind.control.evaluation.child")


class Evaluator:
    """Evaluates expressions one at a time, in turns between namespaces."""

    def __init__(
        self, deadline: float = DEADLINE, command: Sequence[str] = _COMMAND, kill_wait: float = KILL_WAIT_SECONDS
    ) -> None:
        """`deadline` is seconds of CPU time, `kill_wait` seconds on the clock."""
        self.deadline, self._command, self._kill_wait = deadline, command, kill_wait
        self._turns = FairLock()
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._decode = msgspec.msgpack.Decoder(tuple[str, Any, float]).decode

    async def evaluate(self, namespace: str, evaluation: Evaluation) -> tuple[Any, float]:
        """The value as plain data, and the seconds of CPU time it took. Raises ExpressionError."""
        await self._turns.wait(self._turns.queue(namespace))
        if self._idle:
            self._idle.cancel()
        try:
            new = self._process is None or self._process.returncode is not None
            what, value, took = await self._ask(evaluation)
            # Another process killed it, or earlier evaluations left too little memory: try once more.
            if what == "killed" or (what == "memory" and not new):
                await self._end()
                what, value, took = await self._ask(evaluation)
        finally:
            self._turns.release()
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._retire)
        metrics.evaluations.labels("value" if what == "value" else "error").inc()
        if what != "value":
            raise ExpressionError(evaluation.expression, value)
        return value, took

    async def close(self) -> None:
        """Kills the worker."""
        if self._idle:
            self._idle.cancel()
        await self._end()

    async def _ask(self, evaluation: Evaluation) -> tuple[str, Any, float]:
        try:
            message = msgspec.msgpack.encode((evaluation.expression, evaluation.variables, evaluation.values))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            return "error", f"has an input that can't be computed with: {error}", 0.0
        try:
            async with asyncio.timeout(self._kill_wait):
                process = await self._ensure_running()
                assert process.stdin is not None and process.stdout is not None  # noqa: S101 - they are pipes
                process.stdin.write(LENGTH.pack(len(message)) + message)
                await process.stdin.drain()
                (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                if length > LARGEST_ANSWER:
                    await self._end()
                    return "error", "gives too large a value: compute it in a task", 0.0
                return self._decode(await process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError):
            return await self._why()
        except TimeoutError:
            await self._end()
            return "error", self._too_long(), self.deadline
        except BaseException:
            await asyncio.shield(self._end())  # A late answer would be taken for that to the next request.
            raise

    async def _ensure_running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                str(self.deadline),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        return self._process

    async def _why(self) -> tuple[str, str, float]:
        """Why the worker ended: `error`, or `memory` or `killed` if the expression may not be at fault."""
        process, self._process = self._process, None
        code = await process.wait() if process else 0
        metrics.evaluations.labels("ended").inc()
        if code == -signal.SIGPROF:
            return "error", self._too_long(), self.deadline
        log.warning("the worker for expressions has ended: exit code %s", code)
        return "killed" if code == -signal.SIGKILL else "memory", TOO_MUCH, self.deadline

    def _too_long(self) -> str:
        return f"takes more than {self.deadline * 1_000:g} ms of computing: compute the value in a task"

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    def _retire(self) -> None:
        """Closes the worker's input, so that it ends."""
        process = self._process
        if self._turns.idle and process and process.stdin:
            process.stdin.close()
            self._process = None
