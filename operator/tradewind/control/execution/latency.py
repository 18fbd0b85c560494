"""Where the time of an attempt went before its container ran, from API timestamps (their resolution is 1 s)."""

from tradewind import metrics
from tradewind.control.pods.observation import Ended
from tradewind.kube.pod import Pod


def observe(end: Ended, pod: Pod | None, ready: int | None) -> None:
    """Adds an ended attempt to the histograms. `ready` is when (epoch seconds) the last dependency of a first attempt ended. Attempts
    that never started say nothing about starting."""
    main = pod.main() if pod else None
    terminated = main.terminated if main else None
    if pod is None or terminated is None or terminated.started_at is None or pod.metadata.creation_timestamp is None:
        return
    started = terminated.started_at.timestamp()
    scheduled = pod.condition("PodScheduled")
    if scheduled and scheduled.last_transition_time:
        at = scheduled.last_transition_time.timestamp()
        metrics.CREATED_TO_SCHEDULED.observe(max(0.0, at - pod.metadata.creation_timestamp.timestamp()))
        metrics.SCHEDULED_TO_STARTED.observe(max(0.0, started - at))
    if ready is not None:
        metrics.DEPENDENCY_TO_STARTED.observe(max(0.0, started - ready))
