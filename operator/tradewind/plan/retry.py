"""Whether and when a task is tried again."""

from collections.abc import Sequence

from tradewind.model.duration import seconds
from tradewind.model.task import Retries
from tradewind.plan.attempt import FAILURES, LOSSES, PERMANENT, Attempt, failures, losses


def backoff(retries: Retries, attempts: Sequence[Attempt]) -> float | None:
    """Seconds between the end of the last attempt and the next one; None when the task is not tried again."""
    last = attempts[-1]
    if last.reason in PERMANENT:
        return None
    if last.reason in FAILURES:
        count, limit = failures(attempts), retries.limit
    elif last.reason in LOSSES:
        count, limit = losses(attempts), retries.infrastructure_limit
    else:
        return None
    if count > limit:
        return None
    rule = retries.backoff
    # The exponent is bounded so that a hundred retries can't overflow a float.
    wait = seconds(rule.initial) * rule.factor ** min(count - 1, 64)
    return min(wait, seconds(rule.max))
