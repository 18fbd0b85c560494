"""The self-made cluster comes, is killed, comes again and goes without a trace.

They use a cluster of their own beside the shared one: set $TRADEWIND_CLUSTER_NUMBER, and name this file.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import health
from cluster.provider import obstacle
from cluster.selfmade import SelfMade
from cluster.settings import HERE, NUMBER, NUMBER_VARIABLE
from cluster.shell import wait_until
from cluster.traces import process_ids, processes, traces

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def mine() -> Iterator[SelfMade]:
    """A self-made cluster that nobody else uses."""
    if NUMBER == 0:
        pytest.skip(f"kills the cluster: run it with ${NUMBER_VARIABLE}=1, beside the shared one")
    if reason := obstacle():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KUBECONFIG", raising=False)
        provider = SelfMade()
        provider.up()  # builds whatever must be built, so that the tests measure no compiler
        yield provider
        provider.down()


def test_down_leaves_nothing(mine: SelfMade) -> None:
    mine.down()
    before = traces()
    assert before["processes"] == []
    assert before["cgroups"] == []
    mine.up()
    mine.kubectl("run", "short", "--image=busybox:stable", "--restart=Never", "--", "sleep", "600")
    mine.kubectl("wait", "pod", "short", "--for=condition=Ready", "--timeout=120s")
    assert traces() != before
    mine.down()
    assert traces() == before
    mine.down()  # harmless
    assert traces() == before


def test_killed_cluster_is_replaced(mine: SelfMade) -> None:
    mine.up()
    mine.kubectl("run", "short", "--image=busybox:stable", "--restart=Never", "--", "sleep", "600")
    mine.kubectl("wait", "pod", "short", "--for=condition=Ready", "--timeout=120s")
    old = mine.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    first = mine.node.pid()
    assert first is not None
    for pid in process_ids(first):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes(), "all processes ending", 15)
    assert not mine.is_up()
    mine.up()
    assert mine.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") != old
    assert mine.kubectl("get", "pods", "-o", "name") == ""


def test_killed_component_comes_back_by_restart(mine: SelfMade) -> None:
    mine.up()
    mine.kill("kube-apiserver")
    assert not health.api_ready(mine.state)
    mine.restart("kube-apiserver")
    assert mine.kubectl("get", "--raw", "/readyz") == "ok"


def test_up_starts_again_what_has_died(mine: SelfMade) -> None:
    mine.up()
    mine.kill("kube-scheduler")
    mine.up()
    assert "kube-scheduler" in mine.node.running()


def test_dead_component_is_reported_with_its_last_words(mine: SelfMade, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.down()
    before = traces()
    commands = SelfMade._commands

    def broken(self: SelfMade) -> dict[str, list[str]]:
        lines = commands(self)
        lines["kube-scheduler"].append("--no-such-flag")
        return lines

    monkeypatch.setattr(SelfMade, "_commands", broken)
    with pytest.raises(Exception, match=r"kube-scheduler died(?s:.*)unknown flag: --no-such-flag"):
        mine.up()
    assert traces() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.5, 2.5])
def test_interrupted_up_leaves_nothing(mine: SelfMade, number: signal.Signals, after: float) -> None:
    mine.down()
    before = traces()
    command = [sys.executable, "-m", "cluster", "up"]
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(after)
    os.killpg(process.pid, number)
    process.communicate(timeout=200)
    assert process.returncode in (130, -number)  # the latter while Python itself is still starting
    assert traces() == before


def test_up_after_an_up_that_was_killed(mine: SelfMade) -> None:
    mine.down()
    command = [sys.executable, "-m", "cluster", "up"]
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: Path(mine.state, "control.sock").exists(), "a cluster half made", 30)
    process.kill()
    process.wait()
    assert not mine.is_up()
    mine.up()
    assert mine.is_up()
