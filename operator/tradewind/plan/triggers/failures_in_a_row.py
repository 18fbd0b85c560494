"""Whether a trigger stops firing because its runs fail, one after the other."""

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass

from tradewind.model.duration import seconds
from tradewind.model.history import History
from tradewind.plan.documents.problem import Problem

FIELD = "spec.suspendAfterFailures"
NAMED = 5
"""Failed runs that a message names."""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of a DAG that has ended, and was not cancelled. Times are epoch seconds."""

    name: str
    succeeded: bool
    created: float
    ended: float
    trigger: str
    """The trigger that made it; empty for none."""

    @property
    def age(self) -> tuple[float, str]:
        """The sort key of runs."""
        return self.created, self.name


class EndedRuns:
    """The runs of a DAG that have ended, in the order of their creation: a change or a question costs little, however many
    there are."""

    def __init__(self) -> None:
        self._runs: dict[str, EndedRun] = {}
        self._kept: list[float] = []
        """When successes have ended, sorted."""
        self._of: defaultdict[str, list[EndedRun]] = defaultdict(list)
        """The runs of each trigger, sorted by age."""

    def put(self, run: EndedRun) -> None:
        """Adds a run, or replaces it."""
        self.drop(run.name)
        self._runs[run.name] = run
        if run.succeeded:
            insort(self._kept, run.ended)
        if run.trigger:
            insort(self._of[run.trigger], run, key=_age)

    def drop(self, name: str) -> None:
        """Removes a run, if known."""
        run = self._runs.pop(name, None)
        if run is None:
            return
        if run.succeeded:
            del self._kept[bisect_left(self._kept, run.ended)]
        if run.trigger:
            own = self._of[run.trigger]
            del own[bisect_left(own, run.age, key=_age)]
            if not own:
                del self._of[run.trigger]

    def in_a_row(self, trigger: str, keep: History, since: float, now: float, most: int) -> list[str]:
        """A trigger's failed runs after its last success, latest first, `most` of them at most. Those that were created before `since`
        don't count, nor those after which the DAG's history may have deleted a success."""
        if len(self._kept) >= keep.succeeded.limit:
            since = max(since, self._kept[0] if self._kept else float("inf"))
        if keep.succeeded.ttl is not None:
            since = max(since, now - seconds(keep.succeeded.ttl))
        found: list[str] = []
        for run in reversed(self._of.get(trigger, ())):
            if run.succeeded or run.created < since or len(found) == most:
                break
            found.append(run.name)
        return found


def _age(run: EndedRun) -> tuple[float, str]:
    return run.age


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
