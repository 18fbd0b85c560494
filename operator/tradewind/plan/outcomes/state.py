"""States of tasks and items."""

from enum import StrEnum


class State(StrEnum):
    """Where a task stands."""

    BLOCKED = "Blocked"
    """Something it depends on has not ended."""
    READY = "Ready"
    """Its next attempt can be created as soon as the limits allow."""
    WAITING = "Waiting"
    """Its next attempt is due later."""
    PENDING = "Pending"
    """A pod exists and has not started."""
    RUNNING = "Running"
    """A pod runs."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    LOST = "Lost"
    """The infrastructure lost it more often than its budget allows."""
    SKIPPED = "Skipped"
    """It was not to run: its condition or its trigger rule said so."""
    UPSTREAM_FAILED = "UpstreamFailed"
    """A dependency failed, so it will never run."""
    CANCELLED = "Cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED, State.UPSTREAM_FAILED, State.CANCELLED})
LIVE = frozenset({State.PENDING, State.RUNNING})
BAD = frozenset({State.FAILED, State.LOST, State.UPSTREAM_FAILED})
"""Final states for which a run fails when a last task ends in them."""
