"""Standard output whose reader may be gone, as in `tradewind run | head`, or that takes no more, as on a full disk. Writes then don't fail; work in progress is ended in order, and the exit code is CLOSED, or FULL."""

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

T = TypeVar("T")

CLOSED = 141
"""The exit code if the reader is gone: a shell's for programs that SIGPIPE ends."""
FULL = 74
"""The exit code if standard output takes no more: EX_IOERR of sysexits.h."""


class _Reader:
    """The reader of standard output."""

    def __init__(self) -> None:
        self.gone = False
        self.failure = ""
        self._told: list[Callable[[], object]] = []

    def report_loss(self, failure: str) -> None:
        """A write has failed: notifies the innermost listener, once. `failure` is empty if the reader is gone."""
        if not self.gone:
            self.gone, self.failure = True, failure
            if self._told:
                self._told[-1]()

    @contextlib.contextmanager
    def call_when_gone(self, tell: Callable[[], object]) -> Iterator[None]:
        """Calls `tell` when the reader is gone; at once if it already is."""
        self._told.append(tell)
        try:
            if self.gone:
                tell()
            yield
        finally:
            self._told.pop()


_reader = _Reader()


class _Pipe(io.FileIO):
    """A file that drops writes once its pipe has no reader, or its disk no space."""

    def __init__(self, number: int, lost: Callable[[str], None]) -> None:
        super().__init__(number, "wb", closefd=False)
        self._lost = lost

    def write(self, data: Any) -> int:
        """Writes all bytes, or as many as the pipe takes."""
        try:
            return super().write(data)
        except BrokenPipeError:
            self._lost("")
        except OSError as error:
            self._lost(error.strerror or str(error))
        return len(data)


def reader_gone() -> bool:
    """Whether the reader of standard output has closed it."""
    return _reader.gone


def call_when_gone(tell: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """In this context `tell`, instead of an outer context's callback, is called when the reader of standard output is
    gone."""
    return _reader.call_when_gone(tell)


@contextlib.contextmanager
def guard_streams() -> Iterator[None]:
    """Lets standard output and error of the process lose their readers. Exits with CLOSED if standard output has, and
    with FULL if it took no more."""
    sys.stdout, sys.stderr = _guard(sys.stdout, 1, _reader.report_loss), _guard(sys.stderr, 2, lambda _: None)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the code that replaced it may have closed it
            sys.stdout.flush()
        if _reader.failure:
            print(f"Error: standard output can't be written: {_reader.failure}", file=sys.stderr)  # noqa: T201 - the terminal's helpers write to standard output
        if _reader.gone:
            sys.exit(FULL if _reader.failure else CLOSED)


async def run_until_gone(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work`, and cancels it when the reader of standard output is gone, unless it handles that itself."""
    loop, me = asyncio.get_running_loop(), cast(asyncio.Task[Any], asyncio.current_task())
    with call_when_gone(partial(loop.call_soon_threadsafe, me.cancel)):
        return await work


def _guard(stream: TextIO | None, number: int, lost: Callable[[str], None]) -> TextIO:
    """A guard_streams version of a stream of this process that is not a terminal; a stream that drops all if there is
    none."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    original = sys.__stdout__ if number == 1 else sys.__stderr__
    if original is None or stream is not original or original.isatty():
        return stream
    buffered = io.BufferedWriter(_Pipe(number, lost))
    return io.TextIOWrapper(
        buffered, original.encoding, original.errors, line_buffering=number == 2, write_through=number == 2
    )
