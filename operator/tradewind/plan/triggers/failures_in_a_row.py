"""Whether a trigger stops firing because its runs fail, one after the other."""

from collections.abc import Iterable
from dataclasses import dataclass

from tradewind.model.duration import seconds
from tradewind.model.history import History
from tradewind.plan.documents.problem import Problem

FIELD = "spec.suspendAfterFailures"
NAMED = 5
"""Failed runs that a message names."""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of the trigger's DAG that has ended, and was not cancelled. Times are epoch seconds."""

    name: str
    succeeded: bool
    created: float
    ended: float
    own: bool
    """Whether the trigger made it."""

    @property
    def age(self) -> tuple[float, str]:
        """The sort key of runs."""
        return self.created, self.name


def in_a_row(runs: Iterable[EndedRun], keep: History, since: float, now: float) -> list[str]:
    """The trigger's failed runs after its last success, latest first. Those that were created before `since` don't count, nor those
    after which the DAG's history may have deleted a success."""
    known = sorted(runs, key=lambda run: run.age, reverse=True)
    kept = [run.ended for run in known if run.succeeded]
    if len(kept) >= keep.succeeded.limit:
        since = max(since, min(kept, default=float("inf")))
    if keep.succeeded.ttl is not None:
        since = max(since, now - seconds(keep.succeeded.ttl))
    found = []
    for run in known:
        if run.own and (run.succeeded or run.created < since):
            break
        if run.own:
            found.append(run.name)
    return found


def check(limit: int | None, dag: str, keep: History) -> list[Problem]:
    """A problem if the DAG's history does not keep the runs that have to be counted."""
    if limit is None:
        return []
    if keep.succeeded.limit == 0:
        what = f"DAG {dag} keeps no successful runs, so failures in a row can't be told from others"
        return [Problem(FIELD, what, "set history.succeeded.limit of the DAG to 1 or more")]
    if keep.failed.limit < limit:
        what = f"DAG {dag} keeps {keep.failed.limit} failed runs, so {limit} are never seen"
        return [Problem(FIELD, what, "write a smaller number, or raise history.failed.limit of the DAG")]
    return []


def words(limit: int, trigger: str, failed: list[str]) -> str:
    """Why a trigger does not fire, and how to resume it."""
    named = ", ".join(failed[:NAMED])
    return (
        f"{limit} of its runs have failed in a row ({named}{', ...' if len(failed) > NAMED else ''}); what happens meanwhile is not made up "
        f"for. `tradewind resume trigger/{trigger}` resumes it, as does a retry of the latest of them that succeeds"
    )
