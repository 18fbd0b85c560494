"""Running other programs, and telling the user what takes long."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class ClusterError(Exception):
    """Something a user can read; never shown with a traceback."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for what a shell evaluates."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def run(
    *command: str | Path,
    input: str | bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> str:
    """The program's stdout; on failure a ClusterError with the end of its stderr."""
    data = input.encode() if isinstance(input, str) else input
    # Without input the program gets none, rather than the terminal's or the test runner's.
    stdin = subprocess.DEVNULL if data is None else None
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=data, stdin=stdin, capture_output=True, cwd=cwd, env=env, timeout=timeout, check=False
        )
    except FileNotFoundError as problem:
        raise ClusterError(f"{words[0]} is not installed") from problem
    except subprocess.TimeoutExpired as problem:
        raise ClusterError(f"{' '.join(words)}: no answer after {timeout:g} s") from problem
    if done.returncode != 0:
        text = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise ClusterError(f"{' '.join(words)}: exit code {done.returncode}\n{tail(text)}")
    return str(done.stdout.decode(errors="replace"))


def tail(text: str, lines: int = 15) -> str:
    """The last lines of a log, where the reason usually is."""
    return "\n".join(text.splitlines()[-lines:])


@contextmanager
def step(what: str, quiet_for: float = 2.0) -> Iterator[None]:
    """Say `what` once it takes longer than a user likes to wait in silence, and how long it took."""
    start = time.monotonic()
    timer = threading.Timer(quiet_for, say, [f"{what} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    took = time.monotonic() - start
    if took > quiet_for:
        say(f"{what}: {took:.0f} s")


def wait_until(true: Callable[[], bool], what: str, timeout: float, every: float = 0.1) -> None:
    """Poll; the error names what did not come true."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not within {timeout:g} s")
        time.sleep(every)
