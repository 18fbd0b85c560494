"""Whether and when a task is retried."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.model.duration import seconds
from tradewind.model.retries import Backoff, Retries
from tradewind.model.shown import counted
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.scope import retry_matches
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES, PERMANENT, PREEMPTIONS, SKIPS, STOPPED, Attempt


@dataclass(frozen=True, slots=True)
class RetryState:
    """The budget used so far. `wait` is the seconds between the end of the last attempt and the next; None if there is
    none."""

    wait: float | None
    failures: int = 0
    losses: int = 0
    first: int = 0
    """Position of the first attempt that counts: those before had budgets of their own."""
    why: str = ""
    """Why there is no further attempt, if the budget does not explain it."""


def retry_state(
    retries: Retries,
    attempts: Sequence[Attempt],
    retried: int = 0,
    seed: str = "",
    iterations: int = 0,
    delay: float = 0.0,
) -> RetryState:
    """The budget that the attempts so far leave. After the attempt `retried` a person had a task that had failed for good
    tried again, with a fresh budget; `seed` makes jitter differ between tasks and stay the same after a restart. A loop
    has `iterations`, with a budget each, and `delay` seconds between them."""
    first = sum(attempt.number <= retried for attempt in attempts) if retried else 0
    failures = losses = preempted = done = 0
    result = RetryState(0.0 if first else None, first=first)
    for position, attempt in enumerate(attempts[first:], first):
        if attempt.succeeded and iterations:
            failures, losses, done = 0, 0, done + 1
            if done == iterations:
                words = f"loop.until did not hold after {counted(iterations, 'iteration')}"
                return RetryState(None, first=first, why=words)
            result = RetryState(delay, first=first)
            continue
        failures += attempt.reason in FAILURES
        losses += attempt.reason in LOSSES
        preempted = preempted + 1 if attempt.reason in PREEMPTIONS else 0
        over, why = _over(retries, attempt, failures, losses)
        if over:
            return RetryState(None, failures, losses, first, why)
        count = preempted or (failures if attempt.reason in FAILURES else losses)
        try:
            wait = _wait(retries, attempt, count, seed) if position == len(attempts) - 1 else 0.0
        except ExpressionError as error:
            return RetryState(None, failures, losses, first, f"retries.delays: {error}")
        result = RetryState(wait, failures, losses, first)
    return result


def _over(retries: Retries, last: Attempt, failures: int, losses: int) -> tuple[bool, str]:
    if last.succeeded or last.reason in SKIPS or last.reason in STOPPED or last.reason in PERMANENT:
        return True, ""
    if last.reason in PREEMPTIONS:
        return False, ""
    if last.reason in LOSSES:
        return losses > retries.infrastructure_limit, ""
    if failures > retries.limit:
        return True, ""
    try:
        if retries.fail_on and retry_matches(retries.fail_on, last):
            return True, f"failOn matches: {retries.fail_on}"
        if retries.retry_on and not retry_matches(retries.retry_on, last):
            return True, f"retryOn does not match: {retries.retry_on}"
    except ExpressionError as error:
        return True, str(error)
    return False, ""


def _wait(retries: Retries, last: Attempt, count: int, seed: str) -> float:
    for rule in retries.delays:
        if retry_matches(rule.when, last):
            return seconds(rule.delay)
    return _backoff(retries.backoff, count, f"{seed}/{last.number}")


def _backoff(rule: Backoff, count: int, seed: str) -> float:
    # The exponent is bounded so that a hundred retries can't overflow a float. Jitter stays under the cap too, and
    # spreads the waits that reach it.
    wait = min(seconds(rule.initial) * rule.factor ** min(count - 1, 64), seconds(rule.max) / (1 + rule.jitter))
    if rule.jitter:
        share = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) / 2**64
        wait *= 1 + rule.jitter * (2 * share - 1)
    return wait
