"""The way to a running node from outside: start it, ask it, signal its components, end it."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

from cluster.settings import HERE
from cluster.shell import ClusterError, tail, wait_until


class Node:
    """The node whose files are under `state`, running or not."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.logs = state / "logs"

    def pid(self) -> int | None:
        """The supervisor's process id as this process sees it; None when no node runs."""
        try:
            with self._connect() as connection:
                credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                return int(struct.unpack("3i", credentials)[0])
        except OSError:
            return self._search()

    def boot(self) -> int:
        """Start the supervisor in fresh namespaces; it has no components yet."""
        self.logs.mkdir(exist_ok=True)
        log = self.logs / "supervisor.log"
        with log.open("ab") as output:
            unshare = subprocess.Popen(
                ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc",
                 sys.executable, "-B", str(HERE / "supervisor.py"), str(self.state)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
            )  # fmt: skip

        def answering() -> bool:
            if unshare.poll() is not None:
                raise ClusterError(f"the node's supervisor ended at once\n{tail(log.read_text())}")
            return self._socket_answers()

        wait_until(answering, "the node's supervisor answering", 10)
        pid = self.pid()
        if pid is None:
            raise ClusterError(f"the node's supervisor died\n{tail(log.read_text())}")
        return pid

    def start(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> None:
        self._ask(do="start", name=name, argv=argv, env=env or {})

    def signal(self, name: str, number: int) -> None:
        self._ask(do="signal", name=name, number=number)

    def stop(self, name: str, patience: float = 5.0) -> None:
        """End one component: SIGTERM, and SIGKILL when it waits for its clients."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(name, number)
            try:
                return wait_until(lambda: name not in self.running(), f"{name} ending", patience)
            except ClusterError:
                if number == signal.SIGKILL:
                    raise

    def running(self) -> list[str]:
        running = self._ask(do="status")["running"]
        assert isinstance(running, list)
        return running

    def check(self, *names: str) -> None:
        """Raise with the last lines of its log when one of the components has died."""
        running = self.running()
        for name in names:
            if name not in running:
                log = self.logs / f"{name}.log"
                text = log.read_text(errors="replace") if log.exists() else ""
                raise ClusterError(f"{name} died; the end of {log}:\n{tail(text)}")

    def end(self) -> None:
        """Kill every process of the node, in the one way that cannot miss one."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _is_gone(pid), f"the node's first process ({pid}) ending", 30)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        try:
            connection.connect(str(self.state / "control.sock"))
        except OSError:
            connection.close()
            raise
        return connection

    def _socket_answers(self) -> bool:
        try:
            self._connect().close()
        except OSError:
            return False
        return True

    def _ask(self, **request: object) -> dict[str, object]:
        try:
            with self._connect() as connection, connection.makefile("rw") as stream:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                reply = json.loads(stream.readline())
        except (OSError, ValueError) as problem:
            raise ClusterError(f"the cluster does not run ({problem})") from problem
        if "error" in reply:
            raise ClusterError(f"{request}: {reply['error']}")
        return dict(reply)

    def _search(self) -> int | None:
        """Find a supervisor whose socket is gone, as when a user removed the state folder."""
        wanted = [str(HERE / "supervisor.py").encode(), str(self.state).encode()]
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[2:4] == wanted and words[1] == b"-B":
                return int(entry.name)
        return None


def _is_gone(pid: int) -> bool:
    """The first process of a namespace becomes a zombie only after all others are gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
