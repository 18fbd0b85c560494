"""The costs of a shape of load besides its time: the operator's CPU, memory and writes, etcd's writes, and the stages
of a task's time."""

import contextlib
import urllib.request
from dataclasses import dataclass

from cluster.provider import choose
from cluster.selfmade import SelfMade
from cluster.settings import ETCD_METRICS
from prometheus_client.parser import text_string_to_metric_families

from bench.figure import Figure
from bench.rig.operator import Histogram, Measured

STAGES = {
    "ready_to_created": "dependency seen → create acknowledged",
    "created_to_scheduled": "created → scheduled",
    "scheduled_to_started": "scheduled → started",
}
WRITTEN = "etcd_disk_wal_write_bytes_total"


@dataclass(frozen=True)
class Reading:
    """Counters of an operator and, if they can be read, of its etcd."""

    cpu: float
    writes: float
    lag: Histogram
    stages: dict[str, Histogram]
    etcd: float | None

    @classmethod
    def of(cls, operator: Measured, side: str) -> "Reading":
        """The current counters."""
        return cls(
            operator.cpu(),
            sum(operator.requests().values()),
            operator.lag(),
            {stage: operator.histogram(stage) for stage in STAGES},
            _etcd_bytes() if side == "real" else None,
        )


def figures(
    what: str, operator: Measured, side: str, before: Reading, tasks: int, most: float | None = None
) -> list[Figure]:
    """The costs of `tasks` tasks since `before`; `most` is the target for API writes per task."""
    now, peak = Reading.of(operator, side), operator.peak()
    writes = (now.writes - before.writes) / tasks
    lag = now.lag.since(before.lag)
    found = [
        Figure(f"{what}: API writes of the operator a task", writes, "", None, f"≤ {most:g}" if most else "", not most or writes <= most),
        Figure(f"{what}: operator's CPU a task", (now.cpu - before.cpu) / tasks * 1e3, "ms", None, "", True),
        Figure(f"{what}: operator's memory at its peak", peak, "MB", None, "≤ 200 MB", peak <= 200),
        Figure(f"{what}: the event loop's lag, p99", lag.quantile(0.99) * 1e3, "ms", None, "", True),
    ]  # fmt: skip
    if now.etcd is not None and before.etcd is not None:
        found.append(Figure(f"{what}: written by etcd a task", (now.etcd - before.etcd) / tasks / 1024, "KB", None, "", True))  # fmt: skip
    for stage, words in STAGES.items():
        seen = now.stages[stage].since(before.stages[stage])
        if seen.count:
            found.append(Figure(f"{what}: {words}, p50", seen.quantile(0.5) * 1e3, "ms", None, "", True))
    return found


def _etcd_bytes() -> float | None:
    """Bytes of the write-ahead log so far; None if the cluster does not expose its etcd."""
    if not isinstance(choose(), SelfMade):
        return None
    with contextlib.suppress(OSError), urllib.request.urlopen(ETCD_METRICS, timeout=5) as response:
        for family in text_string_to_metric_families(response.read().decode()):
            for sample in family.samples:
                if sample.name == WRITTEN:
                    return float(sample.value)
    return None
