"""A one-node cluster made here: real components in namespaces of their own, no container engine."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster import archives, binaries, cgroups, health, hostlink, imports, nodefiles, objects, packages, pki
from cluster.control import Node
from cluster.settings import BASE_IMAGES, NUMBER, STATE, cache_home
from cluster.shell import ClusterError, run, say, step, wait_until


class SelfMade:
    """Up, down and the control of its components."""

    name = "self-made"

    def __init__(self, state: Path = STATE) -> None:
        self.state = state
        self.node = Node(state)
        self.kubeconfig = state / "kubeconfig"

    def prepare(self) -> None:
        self._base_images()

    def up(self) -> Path:
        with _locked():
            if self.node.pid() is not None and self.kubeconfig.exists():
                self._revive()
            else:
                self._create()
        return self.kubeconfig

    def down(self) -> None:
        with _locked(), step("ending the cluster"):
            self._clear()

    def is_up(self) -> bool:
        return self.node.pid() is not None and self.kubeconfig.exists() and health.api_ready(self.state)

    def status(self) -> str:
        pid = self.node.pid()
        if pid is None:
            return "self-made cluster: down"
        running = set(self.node.running())
        lines = [f"self-made cluster: up, first process {pid}, logs in {self.node.logs}"]
        lines += [f"  {name}: {'running' if name in running else 'NOT RUNNING'}" for name in self._commands()]
        return "\n".join(lines)

    def load(self, archive_paths: Sequence[Path]) -> None:
        for archive in archive_paths:
            with step(f"importing {archive.name}"):
                imports.load(self.state / "containerd.sock", archive)

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        return run(binaries.kubectl(), f"--kubeconfig={self.kubeconfig}", *arguments, input=input)

    def kill(self, component: str, number: int = 9) -> None:
        """Let a component die and stay dead until `restart`."""
        self._known(component)
        self.node.signal(component, number)
        wait_until(lambda: component not in self.node.running(), f"{component} dying", 10)

    def restart(self, component: str) -> None:
        """End a component if it runs, start it again, and wait until the node is well."""
        self._known(component)
        self.node.stop(component)
        self._start(component)
        self._wait()

    def _create(self) -> None:
        archive_paths = self._base_images()
        self._clear()
        try:
            with step("starting the cluster"):
                self._launch(archive_paths)
        except BaseException as problem:
            if isinstance(problem, ClusterError):
                self._keep_logs()
            self._clear()
            raise

    def _base_images(self) -> list[Path]:
        """Builds the node's programs, and the images it begins with."""
        packages.install()
        with ThreadPoolExecutor() as pool:  # the base system is fetched while the compiler works
            programs = pool.submit(binaries.node_programs)
            images = pool.submit(archives.build, BASE_IMAGES)
            binaries.kubectl()
            programs.result()
            return images.result()

    def _launch(self, archive_paths: Sequence[Path]) -> None:
        self.state.mkdir(mode=0o755)
        pki.make(self.state / "pki")
        nodefiles.write(self.state)
        cgroups.make()
        hostlink.connect(self.node.boot())
        with ThreadPoolExecutor() as pool:
            self._start("containerd", "etcd", "kube-apiserver")
            imported = pool.submit(self._import, archive_paths)
            self._until(lambda: health.api_ready(self.state), "the API server's readiness", 60)
            imported.result()
        admin = self.state / "pki" / "admin.kubeconfig"
        listed = objects.as_list(objects.bootstrap(self.state / "volumes"))
        run(binaries.kubectl(), f"--kubeconfig={admin}", "apply", "-f", "-", input=listed)
        self._start(*self._commands())
        self._until(lambda: health.node_ready(self.state), "the node's readiness", 60)
        self._wait()
        # Last, so that this file's presence means a complete cluster.
        shutil.copy(admin, self.kubeconfig)

    def _import(self, archive_paths: Sequence[Path]) -> None:
        socket = self.state / "containerd.sock"
        self._until(lambda: socket.exists() and health.containerd_ready(socket), "containerd's readiness", 30)
        self.load(archive_paths)

    def _revive(self) -> None:
        """A running cluster is used as it is; what has died in it is started again."""
        dead = [name for name in self._commands() if name not in self.node.running()]
        if dead:
            say(f"starting again what had died: {', '.join(dead)}")
            self._start(*dead)
        self._wait()
        objects.recycle(self.kubectl, self.state / "volumes")

    def _wait(self) -> None:
        self._until(lambda: health.all_ready(self.state), "all components' readiness", 240)

    def _start(self, *names: str) -> None:
        commands = self._commands()
        for name in names:
            self.node.start(name, commands[name])

    def _until(self, true: health.Check, what: str, timeout: float) -> None:
        """Wait, but not for what has died."""

        def healthy() -> bool:
            self.node.check(*started)
            return true()

        started = self.node.running()
        wait_until(healthy, what, timeout, every=0.2)

    def _commands(self) -> dict[str, list[str]]:
        return nodefiles.command_lines(self.state, binaries.node_programs())

    def _known(self, component: str) -> None:
        if component not in self._commands():
            raise ClusterError(f"no component {component!r}; there are {', '.join(self._commands())}")

    def _keep_logs(self) -> None:
        kept = cache_home() / "failed-logs"
        shutil.rmtree(kept, ignore_errors=True)
        with suppress(OSError):
            shutil.copytree(self.node.logs, kept)
            say(f"all logs of the failed start: {kept}")

    def _clear(self) -> None:
        """End and remove whatever there is of a cluster, complete or not."""
        self.node.end()
        hostlink.disconnect()
        cgroups.remove()
        if self.state.exists():
            shutil.rmtree(self.state)


@contextmanager
def _locked() -> Iterator[None]:
    """One `up` or `down` at a time; the second waits and finds the work done."""
    cache_home().mkdir(parents=True, exist_ok=True)
    with (cache_home() / f"lock-{NUMBER}").open("w") as lock:
        with step("waiting for another up or down"):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
