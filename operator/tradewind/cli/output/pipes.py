"""Standard output whose reader may be gone, as of `tradewind run | head`. No write fails then; what goes on is ended in order, and the exit code is
always CLOSED."""

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
"""The exit code then. A shell gives it to programs that end by SIGPIPE."""


class _Reader:
    """Who reads standard output."""

    def __init__(self) -> None:
        self.gone = False
        self._told: list[Callable[[], object]] = []

    def lost(self) -> None:
        """A write has failed: the innermost that wants to know is told, once."""
        if not self.gone:
            self.gone = True
            if self._told:
                self._told[-1]()

    @contextlib.contextmanager
    def missed(self, tell: Callable[[], object]) -> Iterator[None]:
        """Calls `tell` when the reader is gone; at once where it is already."""
        self._told.append(tell)
        try:
            if self.gone:
                tell()
            yield
        finally:
            self._told.pop()


_reader = _Reader()


class _Pipe(io.FileIO):
    """What is written when nobody reads is dropped."""

    def __init__(self, number: int, lost: Callable[[], None]) -> None:
        super().__init__(number, "wb", closefd=False)
        self._lost = lost

    def write(self, data: Any) -> int:
        """All of it, or what the pipe takes."""
        try:
            return super().write(data)
        except BrokenPipeError:
            self._lost()
            return len(data)


def reader_gone() -> bool:
    """Whether standard output was closed by who read it."""
    return _reader.gone


def when_gone(tell: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """In this context `tell` is called, in the place of what an outer one names, when the reader of standard output is gone."""
    return _reader.missed(tell)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """For the whole process: standard output and error may lose their readers. Exits with CLOSED if standard output has."""
    sys.stdout, sys.stderr = _guard(sys.stdout, 1, _reader.lost), _guard(sys.stderr, 2, lambda: None)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # Whoever replaced it may have closed it.
            sys.stdout.flush()
        if _reader.gone:
            sys.exit(CLOSED)


async def until_gone(work: Coroutine[Any, Any, T]) -> T:
    """Does the work. It is cancelled when the reader of standard output is gone, unless it takes that up itself."""
    loop, me = asyncio.get_running_loop(), cast(asyncio.Task[Any], asyncio.current_task())
    with when_gone(partial(loop.call_soon_threadsafe, me.cancel)):
        return await work


def _guard(stream: TextIO | None, number: int, lost: Callable[[], None]) -> TextIO:
    """A stream of this process that is not a terminal, guarded; a stream that drops all where there is none."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    original = sys.__stdout__ if number == 1 else sys.__stderr__
    if original is None or stream is not original or original.isatty():
        return stream
    buffered = io.BufferedWriter(_Pipe(number, lost))
    return io.TextIOWrapper(
        buffered, original.encoding, original.errors, line_buffering=number == 2, write_through=number == 2
    )
