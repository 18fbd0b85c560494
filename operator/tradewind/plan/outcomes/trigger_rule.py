"""Trigger rules: the state of a task, given the states of its dependencies.

An early decision equals the later one: when more dependencies end, a rule that has decided stays with its decision.
That is why AllSucceeded waits before it skips (a failure may still come), but not before it reports UpstreamFailed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tradewind.plan.outcomes.state import State


class Verdict(StrEnum):
    """The decision of a rule."""

    RUN = "Run"
    SKIP = "Skip"
    UPSTREAM_FAILED = "UpstreamFailed"


@dataclass(frozen=True, slots=True)
class Counts:
    """Dependencies by result. A lost task counts as failed."""

    total: int
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0

    @property
    def bad(self) -> int:
        """Those that failed, or could not run because of a failure."""
        return self.failed + self.upstream_failed

    @property
    def open(self) -> int:
        """Those that have not ended."""
        return self.total - self.succeeded - self.bad - self.skipped


def count(states: Mapping[State, int], total: int) -> Counts:
    """The counts, from the number of dependencies in each state."""
    return Counts(
        total,
        succeeded=states.get(State.SUCCEEDED, 0),
        failed=states.get(State.FAILED, 0) + states.get(State.LOST, 0),
        skipped=states.get(State.SKIPPED, 0),
        upstream_failed=states.get(State.UPSTREAM_FAILED, 0),
    )


Decision = Verdict | None
RUN, SKIP, UPSTREAM_FAILED = Verdict.RUN, Verdict.SKIP, Verdict.UPSTREAM_FAILED


def _all_succeeded(n: Counts) -> Decision:
    if n.bad:
        return UPSTREAM_FAILED
    return None if n.open else SKIP if n.skipped else RUN


def _all_done(n: Counts) -> Decision:
    return None if n.open else RUN


def _all_failed(n: Counts) -> Decision:
    if n.succeeded or n.skipped:
        return SKIP
    return None if n.open else RUN


def _all_skipped(n: Counts) -> Decision:
    if n.succeeded or n.bad:
        return SKIP
    return None if n.open else RUN


def _one_succeeded(n: Counts) -> Decision:
    if n.succeeded:
        return RUN
    return None if n.open else UPSTREAM_FAILED if n.bad else SKIP


def _one_failed(n: Counts) -> Decision:
    if n.bad:
        return RUN
    return None if n.open else SKIP


def _one_done(n: Counts) -> Decision:
    if n.succeeded or n.failed:
        return RUN
    return None if n.open else SKIP


def _none_failed(n: Counts) -> Decision:
    if n.bad:
        return UPSTREAM_FAILED
    return None if n.open else RUN


def _none_failed_min_one_succeeded(n: Counts) -> Decision:
    if n.bad:
        return UPSTREAM_FAILED
    return None if n.open else RUN if n.succeeded else SKIP


def _none_skipped(n: Counts) -> Decision:
    if n.skipped:
        return SKIP
    return None if n.open else RUN


def _always(n: Counts) -> Decision:
    return RUN


def _all_done_min_one_succeeded(n: Counts) -> Decision:
    if n.skipped:
        return SKIP
    return None if n.open else RUN if n.succeeded else UPSTREAM_FAILED


RULES: Mapping[str, Callable[[Counts], Decision]] = {
    "AllSucceeded": _all_succeeded,
    "AllDone": _all_done,
    "AllFailed": _all_failed,
    "AllSkipped": _all_skipped,
    "OneSucceeded": _one_succeeded,
    "OneFailed": _one_failed,
    "OneDone": _one_done,
    "NoneFailed": _none_failed,
    "NoneFailedMinOneSucceeded": _none_failed_min_one_succeeded,
    "NoneSkipped": _none_skipped,
    "Always": _always,
    "AllDoneMinOneSucceeded": _all_done_min_one_succeeded,
}
EARLY = frozenset({"Always", "OneDone", "OneFailed", "OneSucceeded"})
"""Rules that let a task run before all its dependencies have ended."""


def decide(rule: str, counts: Counts) -> Decision:
    """The decision of a named rule; None while it depends on dependencies that have not ended. Without dependencies a
    task runs."""
    return RULES[rule](counts) if counts.total else RUN
