"""Pods that are being stopped: since when, and how long that may take."""

from tradewind.kube.pod import Pod
from tradewind.model import duration

SLACK = 10.0
"""Seconds that the kubelet may take besides, and by which clocks may differ."""


def stopping(pod: Pod, now: float) -> str:
    """A message that a pod is being stopped; empty if it is not. `now` is epoch seconds."""
    if pod.metadata.deletion_timestamp is None:
        return ""
    # The timestamp lies ahead by the time that its containers have to end.
    grace = pod.metadata.deletion_grace_period_seconds or 0
    lasts = max(0, round(now - pod.metadata.deletion_timestamp.timestamp() + grace))
    words = f"being stopped for {duration.text(lasts)}"
    if lasts > grace + SLACK:
        return f"{words}, longer than its container's gracePeriod of {duration.text(grace)}: is its node gone?"
    return f"{words}: its container has up to {duration.text(grace)} to end (gracePeriod)"
