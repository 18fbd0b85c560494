"""Runs one command and kills every process that it started: a small process between this program and each task.

It reads a line of JSON (argv, env, cwd, log) from stdin, answers with a line (empty: the command runs; otherwise why
not), and ends with the command's exit code, as a shell gives it. After the line, `t` asks the command's process group
to end; the end of stdin kills all, so nothing outlives the process at the other end, however that one ends. On Linux
"all" are the descendants, including those that began a session of their own, since orphans become children of their
minder; elsewhere it is the process group.

Standard library only: nothing else is loaded, so it costs a few milliseconds."""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE = 5.0
"""Seconds to kill a command that keeps starting processes."""


def main() -> None:
    """Runs the minder."""
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    command, why = _start(json.loads(_line()))
    os.write(1, why.encode(errors="replace") + b"\n")
    code = None
    while not why and code is None:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            code = _reap(command)
        if code is None and 0 in ready:
            asked = os.read(0, 4096)
            if asked:
                _kill_group(command, signal.SIGTERM)
            else:
                break
    _kill_all(command)
    os._exit(128 + signal.SIGKILL if code is None else code)


def _line() -> bytes:
    read = b""
    while not read.endswith(b"\n"):
        part = os.read(0, 65_536)
        if not part:
            os._exit(0)
        read += part
    return read


def _start(order: Any) -> tuple[int, str]:
    """The command's pid, and why it could not be started (empty if it was)."""
    me = os.getpid()
    told, tell = os.pipe()  # the write end closes when the program starts
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            if LINUX:
                _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != me:
                    os._exit(128 + signal.SIGKILL)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(order["cwd"])
            os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - there is to be no shell
        except FileNotFoundError:
            os.write(tell, b"executable file not found on this machine")
        except (OSError, ValueError) as error:
            os.write(tell, str(error).replace("\n", " ").encode(errors="replace")[:1_000])
        os._exit(127)
    os.close(tell)
    why = os.read(told, 1_000).decode(errors="replace")
    os.close(told)
    return pid, why


def _reap(command: int) -> int | None:
    """Reaps all ended children; returns the command's exit code if it is one of them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == command:
                found = os.waitstatus_to_exitcode(status)
                code = found if found >= 0 else 128 - found
    return code


def _kill_all(command: int) -> None:
    """Kills what is left until nothing is: a program may start another one meanwhile."""
    _kill_group(command, signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while LINUX and time.monotonic() < until:
        left = [pid for pid in _descendants() if _kill(pid)]
        _reap(command)
        if not left:
            return
        time.sleep(0.002)


def _descendants() -> Iterator[int]:
    """The pids of all descendants of this process."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would cost as much as all the rest
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = children.get(os.getpid(), [])
    for pid in found:
        found.extend(children.get(pid, []))
    yield from found


def _kill(pid: int) -> bool:
    """Kills a process; False if it now has another user's rights."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def _kill_group(command: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(command, number)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
