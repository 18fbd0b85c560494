"""An operator process to measure: its memory, its CPU time, its metrics."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Measured:
    """A running operator."""

    pid: int
    port: int

    def rss(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")

    def cpu(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self) -> str:
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def mean(self, stage: str) -> float:
        """Mean seconds of a latency stage."""
        found = {
            sample.name.rpartition("_")[2]: sample.value
            for family in text_string_to_metric_families(self.metrics())
            for sample in family.samples
            if sample.labels.get("stage") == stage and not sample.name.endswith("_bucket")
        }
        return found["sum"] / found["count"]

    def share_within(self, stage: str, seconds: float) -> tuple[float, int]:
        """Which share of the observations of a latency stage lies within `seconds`, and how many there are."""
        within = total = 0
        for family in text_string_to_metric_families(self.metrics()):
            for sample in family.samples:
                if sample.labels.get("stage") != stage:
                    continue
                if sample.name.endswith("_bucket") and float(sample.labels["le"]) == seconds:
                    within = int(sample.value)
                elif sample.name.endswith("_count"):
                    total = int(sample.value)
        return (within / total if total else 0.0), total


@contextlib.contextmanager
def operator(kubeconfig: Path, namespace: str) -> Iterator[Measured]:
    """An operator of one namespace, ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "tradewind.cli",
        "operator",
        "--kubeconfig",
        str(kubeconfig),
        "--metrics-port",
        str(port),
    ]
    command += ["--namespace", namespace, "--lease-namespace", namespace, "--log-level", "warning"]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 30
        while True:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer,
            ):
                if answer.read() == b"ok":
                    break
            if time.monotonic() > deadline:
                raise RuntimeError("the operator is not ready after 30 s")
            time.sleep(0.05)
        yield Measured(process.pid, port)
    finally:
        process.terminate()
        process.wait(10)
