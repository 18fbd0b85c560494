"""States of tasks and items."""

from enum import StrEnum


class State(StrEnum):
    """The state of a task."""

    BLOCKED = "Blocked"
    """A dependency has not ended."""
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
    """Its condition or its trigger rule kept it from running."""
    UPSTREAM_FAILED = "UpstreamFailed"
    """A dependency failed, so it will never run."""
    CANCELLED = "Cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED, State.UPSTREAM_FAILED, State.CANCELLED})
LIVE = frozenset({State.PENDING, State.RUNNING})
NONE_YET = dict.fromkeys(State, 0)
"""Counts to begin with: Counter looks slowly for what it lacks."""
BAD = frozenset({State.FAILED, State.LOST, State.UPSTREAM_FAILED})
"""Final states of last tasks that fail the run."""
