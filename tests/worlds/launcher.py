"""Starts commands in a process that has imported all of them: one costs a fork instead of a second of imports.

`python launcher.py SOCKET ARGUMENT…` is a command as far as its caller can see: its streams, its environment, its
folder, signals and its exit code are those of the process that the server forks for it. The server (`serve`) ends with
the process that started it.
"""

import array
import contextlib
import json
import os
import select
import signal
import socket
import sys

STREAMS = 3
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run(address: str, arguments: list[str]) -> int:
    """Has the server run a command; returns its exit code, negative for a signal."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        folder = os.getcwd()  # noqa: PTH109 - importing pathlib takes as long as all the rest
        wanted = json.dumps([arguments, dict(os.environ), folder]).encode()
        streams = array.array("i", range(STREAMS))
        server.sendmsg([len(wanted).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        server.sendall(wanted)
        pid = int(_received(server, 8))
        for number in FORWARDED:
            signal.signal(number, lambda number, _: _send(pid, number))
        return int(_received(server, 8))


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _received(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = connection.recv(size - len(found))
        if not piece:
            sys.exit("the server of commands is gone")
        found += piece
    return found


def serve(address: str) -> list[str] | None:
    """Forks a process for each command. Returns twice: None when standard input ends, and the command's arguments in
    each of these processes."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the processes between are nobody's
        print("ready", flush=True)
        while True:
            if sys.stdin in (ready := select.select([listener, sys.stdin], [], [])[0]) or not ready:
                return None
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _handle(connection)
            connection.close()


def _handle(connection: socket.socket) -> list[str]:
    """In a process between the server and a command: waits for its end, or ends it with its caller. Returns in the
    command's process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 8, STREAMS)
    arguments, environment, folder = json.loads(_received(connection, int.from_bytes(head, "big")))
    if (pid := os.fork()) == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return [str(argument) for argument in arguments]
    for stream in (*streams, *range(STREAMS)):
        os.close(stream)
    connection.sendall(b"%8d" % pid)
    process = os.pidfd_open(pid)
    ready = select.select([process, connection.fileno()], [], [])[0]
    if process not in ready:
        _send(pid, signal.SIGKILL)  # as its caller was
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(b"%8d" % code)
    os._exit(0)


if __name__ == "__main__":
    ended = run(sys.argv[1], sys.argv[2:])
    if ended < 0:
        signal.signal(-ended, signal.SIG_DFL)
        os.kill(os.getpid(), -ended)
    sys.exit(ended)
