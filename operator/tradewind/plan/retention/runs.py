"""Which runs of a DAG may be deleted."""

from collections.abc import Mapping
from typing import NamedTuple

from tradewind.model.duration import seconds
from tradewind.model.history import History, Kept

GRACE = 10
"""Seconds for which every run is kept after its end, so that clients that wait for it can see it."""

REPEATS = 600
"""Seconds for which the run of an event is kept: a sender that retries must find it, or a second one would be created."""


class EndedRun(NamedTuple):
    """A run that has ended. Memory holds a hundred thousand of them, so it contains no more than this."""

    ended: int
    """Epoch seconds."""
    version: int
    """Its resource version: a run that has changed since must not be deleted. Of two that ended in the same second the
    higher one is the later."""
    succeeded: bool
    grace: int = GRACE
    """Seconds for which it is kept in any case."""
    caller: str = ""
    """The uid of the run that called it, if one did."""
    moment: float = 0.0
    """Epoch seconds of its logical date."""
    created: int = 0
    """Epoch seconds of its creation."""
    partial: bool = False
    """Whether it ran some tasks only: it has left nothing."""


class Surplus(NamedTuple):
    """A run to delete, and why: `limit` or `ttl`."""

    name: str
    past: EndedRun
    reason: str


def newest_success(runs: Mapping[str, EndedRun]) -> set[str]:
    """The run whose kept values the next run reads; none if no run has succeeded."""
    places = ((past.moment, past.created, name) for name, past in runs.items() if past.succeeded and not past.partial)
    newest = max(places, default=None)
    return {newest[2]} if newest else set()


def surplus(runs: Mapping[str, EndedRun], keep: History, now: int) -> tuple[list[Surplus], int | None]:
    """The runs to delete at `now` (epoch seconds), earliest end first; and when to check again."""
    found: list[Surplus] = []
    again: list[int] = []
    for succeeded, rule in ((True, keep.succeeded), (False, keep.failed)):
        ours = sorted(
            ((past.ended, past.version, name) for name, past in runs.items() if past.succeeded is succeeded),
            reverse=True,
        )
        for place, (_, _, name) in enumerate(ours):
            due, reason = _due(place, runs[name], rule)
            if due is None:
                continue
            if due <= now:
                found.append(Surplus(name, runs[name], reason))
            else:
                again.append(due)
    found.sort(key=lambda item: (item.past.ended, item.past.version, item.name))
    return found, min(again, default=None)


def _due(place: int, past: EndedRun, rule: Kept) -> tuple[int | None, str]:
    """When a run is to be deleted, and why. `place` is how many of its kind ended after it."""
    if place >= rule.limit:
        return past.ended + past.grace, "limit"
    if rule.ttl is not None:
        return past.ended + max(past.grace, int(seconds(rule.ttl))), "ttl"
    return None, ""
