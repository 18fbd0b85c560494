"""Processes for work whose size clients decide. The event loop continues meanwhile, and calls that take too long are killed."""

import asyncio
import contextlib
import importlib
import os
import pickle
import resource
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO, TypeVar

from tradewind.control.evaluation.places import Places

T = TypeVar("T")
MEMORY = 256 * 2**20
"""Bytes of address space of each process: one that needs more fails, instead of the container."""
CALLS_WAITING_LIMIT = 64
"""Waiting and active calls of one key; more raise Busy."""
SECONDS = 2.0
"""Seconds of CPU time that a call may take, and as many again for each MiB of its arguments: large documents may take long, small ones may
not."""
GRACE = 1.0
"""Seconds in which a call may end for which nobody waits any more: most do, and a new process takes longer to start."""
_SIZE = struct.Struct(">Q")
_HEAD = struct.Struct(">Qd")
"""The size of a call, and the seconds of CPU time that it may take."""


class WorkerDied(Exception):
    """A process ended before it answered: by a signal, or for lack of memory."""


class TooMuch(Exception):
    """A call exceeded its CPU time. The message says how much it had."""


class Workers:
    """Runs calls in `count` processes, in turns between keys; one key has all processes but one at most. If a call exceeds its CPU time, or
    doesn't end soon after it was cancelled, its process is killed and replaced. `seconds` replaces SECONDS. Each process imports the module `preload` when it starts,
    so that its first call need not wait for it."""

    def __init__(self, count: int, seconds: float = SECONDS, preload: str = "") -> None:
        self._count, self._places, self._seconds, self._preload = (
            count,
            Places(count, CALLS_WAITING_LIMIT),
            seconds,
            preload,
        )
        self._idle: deque[Process] = deque()
        self._calls: set[asyncio.Task[Any]] = set()

    async def call(self, key: str, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function of a module with picklable arguments and returns its result. Raises the function's errors, Busy, TooMuch and
        WorkerDied."""
        begun = asyncio.Event()
        call = asyncio.create_task(self._perform(key, pickle.dumps((function, arguments)), begun))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            answer: T = await asyncio.shield(call)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(GRACE if begun.is_set() else 0.0, call.cancel)
            raise
        return answer

    async def _perform(self, key: str, asked: bytes, begun: asyncio.Event) -> Any:
        """Waits for a process and has it answer. Sets `begun` when it has one."""
        seconds = self._seconds * (1 + len(asked) / 2**20)
        async with self._places.one(key):
            begun.set()
            process = self._idle.popleft() if self._idle else await self._start()
            try:
                done, result = await _ask(process, asked, seconds)
            except BaseException:
                await _kill(process)
                with contextlib.suppress(OSError):  # otherwise the next call tries again and reports it
                    self._idle.append(await self._start())
                raise
            self._idle.append(process)
        if done:
            return result
        raise result

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Workers"]:
        """Runs the processes while the context is open."""
        self._idle += await asyncio.gather(*(self._start() for _ in range(self._count)))
        try:
            yield self
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            await asyncio.gather(*map(_kill, self._idle))

    async def _start(self) -> Process:
        program = (sys.executable, "-m", __name__, self._preload)
        return await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)


async def _ask(process: Process, asked: bytes, seconds: float) -> tuple[bool, Any]:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
    try:
        process.stdin.writelines((_HEAD.pack(len(asked), seconds), asked))
        await process.stdin.drain()
        (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
        answered: tuple[bool, Any] = pickle.loads(await process.stdout.readexactly(size))  # noqa: S301 - a child process
        return answered
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        if (code := await process.wait()) == -signal.SIGPROF:
            raise TooMuch(f"more than {seconds:.1f} s of computing") from None
        raise WorkerDied(f"a process that was at work has died: exit code {code}") from error


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answers calls until the input ends. The kernel kills the process if a call exceeds its CPU time."""
    while len(head := asked.read(_HEAD.size)) == _HEAD.size:
        size, seconds = _HEAD.unpack(head)
        raw = asked.read(size)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            function, arguments = pickle.loads(raw)  # noqa: S301 - from the process that started this one
            answer = pickle.dumps((True, function(*arguments)))
        except MemoryError:
            return  # Earlier calls may have left memory behind, so the next call gets a new process.
        except Exception as error:
            answer = pickle.dumps((False, _portable(error)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(_SIZE.pack(len(answer)) + answer)
        answers.flush()


def _portable(error: Exception) -> Exception:
    """The error, or its text if it can't be pickled faithfully."""
    try:
        same = str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - pickled here
    except Exception:
        same = False
    return error if same else RuntimeError(f"{type(error).__name__}: {error}"[:1_000])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Output of the called functions goes to the log.
    if sys.argv[1]:
        importlib.import_module(sys.argv[1])
    _serve(sys.stdin.buffer, _answers)
