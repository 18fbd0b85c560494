"""The first process of the node: it starts, watches and reaps everything else.

It runs in mount, network and process namespaces of its own. When it ends, however it
ends, the kernel kills every process of the node, and with the last of them vanish all
mounts, interfaces and packet filter rules: nothing of a cluster can be left behind but
files and empty cgroups. It runs on the standard library and nothing else.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path

# What a kubelet sets on its machine; here it finds these values in files bound over the
# real ones, so that the machine's own settings stay as they are.
KERNEL_SETTINGS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}
# Folders whose names are fixed in the kubelet and the network plugins.
OWN_FOLDERS = {"/var/log": "varlog", "/var/lib/kubelet": "kubelet"}


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def furnish(state: Path) -> None:
    """Make the namespaces look like a machine of their own."""
    mount("--make-rshared", "/")
    for name, value in KERNEL_SETTINGS.items():
        setting = Path("/proc/sys", name)
        if setting.exists():
            stand_in = state / "sysctl" / name.replace("/", ".")
            stand_in.parent.mkdir(exist_ok=True)
            stand_in.write_text(value + "\n")
            mount("--bind", stand_in, setting)
    mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
    cover_var_lib(state)
    for folder, own in OWN_FOLDERS.items():
        (state / own).mkdir(exist_ok=True)
        Path(folder).mkdir(exist_ok=True)
        mount("--bind", state / own, folder)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def cover_var_lib(state: Path) -> None:
    """Folders that the node's programs make in /var/lib are made in memory; the state folder stays the real one."""
    upper, work, real = Path("/run/var-lib"), Path("/run/var-lib-work"), Path("/run/state")
    for folder in (upper, work, real):
        folder.mkdir()
    mount("--bind", state, real)
    mount("-t", "overlay", "-o", f"lowerdir=/var/lib,upperdir={upper},workdir={work}", "var-lib", "/var/lib")
    mount("--bind", real, state)
    subprocess.run(["umount", str(real)], check=True)


class Components:
    """The node's programs by name."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.pids: dict[str, int] = {}
        self.exits: dict[str, int] = {}

    def start(self, name: str, argv: list[str], env: dict[str, str]) -> None:
        if name in self.pids:
            return
        log = os.open(self.logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
            self.pids[name] = os.posix_spawn(
                argv[0], argv, {**os.environ, **env}, file_actions=actions, setsid=True, setsigmask=[]
            )
        finally:
            os.close(log)
        self.exits.pop(name, None)

    def signal(self, name: str, number: int) -> None:
        if name in self.pids:
            os.kill(self.pids[name], number)

    def reap(self) -> None:
        """Collect the dead: components, and orphans such as the containers' shims."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name in [name for name, running in self.pids.items() if running == pid]:
                del self.pids[name]
                self.exits[name] = os.waitstatus_to_exitcode(status)

    def answer(self, request: dict[str, object]) -> dict[str, object]:
        """One request of `control.Node`."""
        name = str(request.get("name", ""))
        if request["do"] == "start":
            self.start(name, request["argv"], request["env"])  # type: ignore[arg-type]
        elif request["do"] == "signal":
            self.signal(name, int(request["number"]))  # type: ignore[call-overload]
        return {"running": sorted(self.pids), "exits": self.exits}


def converse(connection: socket.socket, components: Components) -> None:
    """One line in, one line out."""
    connection.settimeout(2)
    line = bytearray()
    while not line.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            return
        line += part
    try:
        reply = components.answer(json.loads(line))
    except (OSError, ValueError, KeyError) as problem:
        reply = {"error": str(problem)}
    connection.sendall(json.dumps(reply).encode() + b"\n")


def serve(state: Path) -> None:
    components = Components(state / "logs")
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state / "control.sock"))
    listener.listen()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if woken in ready:
            woken.recv(4096)
        components.reap()
        if listener in ready:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # a client may be gone; the node is not its
                converse(connection, components)


if __name__ == "__main__":
    furnish(Path(sys.argv[1]))
    serve(Path(sys.argv[1]))
