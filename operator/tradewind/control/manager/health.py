"""Health and readiness of an operator."""

from tradewind.control.manager.manager import Operator
from tradewind.control.server.health_endpoints import Readiness

LOOP_LIMIT = 30.0
"""Seconds without a heartbeat of the event loop after which the process counts as hung."""
WATCH_LIMIT = 400.0
"""Seconds without an event, a bookmark or a reconnect after which a watch counts as dead."""


def illness(operator: Operator, now: float) -> str:
    """Why the process should be restarted; empty if it is healthy. `now` is monotonic seconds."""
    if now - operator.heartbeat > LOOP_LIMIT:
        return f"the event loop has not run for {now - operator.heartbeat:.0f} s"
    for watch in (operator.engine.pods, operator.engine.runs.informer):
        if watch.synced.is_set() and now - watch.heard_at > WATCH_LIMIT:
            return f"the watch of {watch.resource.plural} has been silent for {now - watch.heard_at:.0f} s"
    return ""


def readiness(operator: Operator) -> Readiness:
    """Whether it works as expected, and its state in words. A stand-by is ready while it waits for the lease."""
    waiting = not operator.leading
    if waiting or operator.engine.ready.is_set():
        return True, "ok (stand-by)" if waiting else "ok"
    return False, "the caches are not synced yet"
