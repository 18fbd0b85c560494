"""An operator process to measure: its memory, its CPU time, its metrics."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench.rig import inpod


@dataclass(frozen=True)
class Measured:
    """A running operator."""

    pid: int
    port: int

    def rss(self) -> float:
        """Resident memory in MB."""
        return self._memory("VmRSS:")

    def peak(self) -> float:
        """The maximum resident memory so far, in MB."""
        return self._memory("VmHWM:")

    def cpu(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self) -> str:
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def histogram(self, stage: str) -> "Histogram":
        """A latency stage."""
        return self._histogram("tradewind_task_latency_seconds", {"stage": stage})

    def lag(self) -> "Histogram":
        """Lateness of the event loop."""
        return self._histogram("tradewind_loop_lag_seconds", {})

    def durations(self, verb: str, resource: str) -> "Histogram":
        """Time until the API server's answer."""
        return self._histogram("tradewind_api_request_duration_seconds", {"verb": verb, "resource": resource})

    def requests(self) -> dict[tuple[str, str], float]:
        """The number of writes so far, by verb and resource; without leases."""
        found: dict[tuple[str, str], float] = {}
        for sample in self._samples("tradewind_api_requests"):
            verb, resource = sample.labels["verb"], sample.labels["resource"]
            if verb in ("create", "patch", "update", "delete") and resource != "leases":
                found[verb, resource] = found.get((verb, resource), 0) + sample.value
        return found

    def requests_of(self, verb: str, resource: str) -> float:
        """The number of requests of one verb and resource."""
        samples = self._samples("tradewind_api_requests")
        ours = (item for item in samples if item.labels["verb"] == verb and item.labels["resource"] == resource)
        return float(sum(item.value for item in ours))

    def polls(self) -> float:
        """The number of polls of its sensors."""
        return float(sum(item.value for item in self._samples("tradewind_sensor_polls")))

    def _memory(self, what: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"no {what}")

    def _histogram(self, name: str, labels: dict[str, str]) -> "Histogram":
        found = Histogram({}, 0.0)
        for sample in self._samples(name):
            if labels.items() <= sample.labels.items():
                if sample.name.endswith("_bucket"):
                    found.buckets[float(sample.labels["le"])] = sample.value
                elif sample.name.endswith("_sum"):
                    found = Histogram(found.buckets, sample.value)
        return found

    def _samples(self, name: str) -> list[Any]:
        return [
            sample
            for family in text_string_to_metric_families(self.metrics())
            if family.name == name
            for sample in family.samples
        ]


@dataclass(frozen=True)
class Histogram:
    """Cumulative counts by upper bound in seconds, as in Prometheus."""

    buckets: dict[float, float]
    total: float

    @property
    def count(self) -> float:
        """The number of observations."""
        return max(self.buckets.values(), default=0.0)

    @property
    def mean(self) -> float:
        """Seconds."""
        return self.total / self.count if self.count else 0.0

    def since(self, before: "Histogram") -> "Histogram":
        """The observations after `before`."""
        buckets = {bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()}
        return Histogram(buckets, self.total - before.total)

    def quantile(self, share: float) -> float:
        """A quantile in seconds, interpolated within its bucket as Prometheus does."""
        wanted, below, seen = share * self.count, 0.0, 0.0
        for bound, count in sorted(self.buckets.items()):
            if count >= wanted and count > seen:
                top = bound if bound != float("inf") else below
                return below + (top - below) * (wanted - seen) / (count - seen)
            below, seen = bound, count
        return below


@contextlib.contextmanager
def operator(kubeconfig: Path, namespace: str) -> Iterator[Measured]:
    """An operator of one namespace, ready."""
    with operators(kubeconfig, [namespace], 1) as (one,):
        yield one


@contextlib.contextmanager
def operators(kubeconfig: Path, namespaces: Sequence[str], count: int) -> Iterator[list[Measured]]:
    """Operators that share the namespaces, all of them ready."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(_process(kubeconfig, namespaces, count, at)) for at in range(count)]
        deadline = time.monotonic() + 90
        while not all(_works(each, count) for each in found):
            if time.monotonic() > deadline:
                raise RuntimeError("the operators are not ready after 90 s")
            time.sleep(0.05)
        yield found


def _works(one: Measured, count: int) -> bool:
    """Whether it is ready and, if there are several, has its share."""
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{one.port}/readyz", timeout=1) as answer,
    ):
        return answer.read() == b"ok" and (count == 1 or "\ntradewind_shards_held 1.0\n" in one.metrics())
    return False


@contextlib.contextmanager
def _process(kubeconfig: Path, namespaces: Sequence[str], count: int, at: int) -> Iterator[Measured]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before, env = inpod.prefix(kubeconfig, namespaces[0])
    command = [*before, sys.executable, "-m", "tradewind.cli", "operator"]
    command += [] if before else ["--kubeconfig", str(kubeconfig)]
    command += ["--metrics-port", str(port), "--lease-namespace", namespaces[0], "--log-level", "warning"]
    command += ["--http-allow", "127.0.0.0/8"]
    command += ["--shards", str(count), "--identity", f"replica-{at}"]
    for namespace in namespaces:
        command += ["--namespace", namespace]
    process = subprocess.Popen(command, env={**os.environ, **env})
    try:
        yield Measured(process.pid, port)
    finally:
        process.terminate()
        process.wait(20)
