"""The cluster for pytest: import `cluster`, `namespace` and `pytest_runtestloop` in a conftest."""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import archives, binaries, objects
from cluster.provider import Provider, Unavailable, choose
from cluster.selfmade import SelfMade
from cluster.settings import KEEP, cache_home
from cluster.shell import ClusterError, run, wait_until

REQUIRE = "TRADEWIND_REQUIRE_E2E"


@dataclass
class Cluster:
    """A cluster that answers, and the tools to use it."""

    provider: Provider
    kubeconfig: Path
    brought_up: bool

    @property
    def name(self) -> str:
        return self.provider.name

    def kubectl(self, *arguments: str, input: str | None = None, timeout: float = 150) -> str:
        """Its stdout; a ClusterError with its stderr when it fails."""
        return run(binaries.kubectl(), f"--kubeconfig={self.kubeconfig}", *arguments, input=input, timeout=timeout)

    def helm(self, *arguments: str, input: str | None = None, timeout: float = 120) -> str:
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return run(binaries.helm(), *arguments, input=input, timeout=timeout, env=env)

    def load_image(self, name: str) -> None:
        """Build one of the project's images and make the nodes know it."""
        with self._alone():
            self.provider.load(archives.build([name]))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Of tests beside each other, one at a time."""
        with (cache_home() / "lock-tests").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def restart(self, component: str) -> None:
        """End a control plane component, start it again, wait until all is well."""
        self._own().restart(component)

    def kill(self, component: str) -> None:
        """Let a component die at once; it stays dead until `restart`."""
        self._own().kill(component)

    @property
    def audit_log(self) -> Path:
        """Who asked the API server for what, a JSON document a line."""
        return self._own().node.logs / "audit.log"

    def recycle_volumes(self) -> None:
        if isinstance(self.provider, SelfMade):
            with self._alone():  # Of two at once, one would take away what the other has offered again.
                objects.recycle(self.kubectl, self.provider.state / "volumes")

    def _own(self) -> SelfMade:
        if not isinstance(self.provider, SelfMade):
            pytest.skip(f"needs the self-made cluster: a {self.name} one keeps its components to itself")
        return self.provider


_found = pytest.StashKey[Cluster | Unavailable | ClusterError]()


def pytest_runtestloop(session: pytest.Session) -> None:
    """Bring the cluster up before the first test: a first build takes longer than any test may."""
    wanted = any(item.get_closest_marker("e2e") for item in session.items)
    if wanted and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            _find(session.config)


def _find(config: pytest.Config) -> Cluster | Unavailable | ClusterError:
    if _found not in config.stash:
        config.stash[_found] = found = _bring_up()
        if isinstance(found, Cluster) and found.brought_up:
            config.add_cleanup(lambda: _take_down(found))
    return config.stash[_found]


def _bring_up() -> Cluster | Unavailable | ClusterError:
    provider = choose()
    if isinstance(provider, Unavailable):
        return provider
    try:
        was_up = provider.is_up()
        return Cluster(provider, provider.up(), brought_up=not was_up)
    except ClusterError as problem:
        return problem


def _take_down(found: Cluster) -> None:
    """A cluster that these tests brought up ends with them."""
    # Of several parallel workers none knows when the others are done.
    if os.environ.get(KEEP) != "1" and "PYTEST_XDIST_WORKER" not in os.environ:
        found.provider.down()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A real cluster."""
    found = _find(request.config)
    if isinstance(found, ClusterError):
        pytest.fail(str(found), pytrace=False)
    if isinstance(found, Unavailable):
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(found.reason, pytrace=False)
        pytest.skip(found.reason)
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, in which pods can be made at once."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.recycle_volumes()
    cluster.kubectl("create", "namespace", name)

    def account_exists() -> bool:
        return bool(cluster.kubectl("get", "serviceaccounts", "-n", name, "-o", "name"))

    wait_until(account_exists, f"the service account of namespace {name}", 15)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
