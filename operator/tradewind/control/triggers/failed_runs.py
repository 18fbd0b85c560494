"""The latest runs of triggers, for those that stop firing after failures."""

from collections.abc import Mapping

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.run_index import Entry, RunIndex
from tradewind.control.triggers.run_maker import TriggerSnapshot, run_name
from tradewind.kube.client import Client
from tradewind.kube.resources import Key
from tradewind.model.duration import instant
from tradewind.model.history import History
from tradewind.plan import pacing
from tradewind.plan.triggers.failures_in_a_row import EndedRun, EndedRuns

ENDS = ("Succeeded", "Failed")


class FailedRuns:
    """Counts failures in a row from the runs that exist."""

    def __init__(self, client: Client) -> None:
        self._runs = RunIndex(client)
        self._ended: dict[Key, tuple[Mapping[str, Entry], EndedRuns]] = {}
        """What has ended of the runs of a DAG, and these as they were read."""

    def seen(self, run: Run, deleted: bool) -> bool:
        """A run was created, changed or deleted. Returns whether that may change the count of its trigger."""
        key = (run.namespace, run.dag)
        if not self._runs.seen(run, deleted):
            return False
        runs, ended = self._ended.get(key, (None, None))
        if ended and runs is self._runs.known(key):
            _take(ended, run.name, runs.get(run.name) if runs else None)
        return run.final or deleted

    def forget(self, dag: Key) -> None:
        """Drops the runs of a DAG."""
        self._runs.forget(dag)
        self._ended.pop(dag, None)

    async def of(self, trigger: TriggerSnapshot, keep: History, now: float, most: int) -> list[str]:
        """The names of a trigger's failed runs after its last success, latest first, `most` of them at most. Raises errors of the API."""
        since = instant(trigger.spec.failures_since) if trigger.spec.failures_since else float("-inf")
        key = (trigger.namespace, trigger.spec.dag)
        runs = await self._runs.of(key)
        known, ended = self._ended.get(key, (None, EndedRuns()))
        if known is not runs:
            ended = EndedRuns()
            for run in pacing.each([*runs.values()]):
                _take(ended, run.name, run)
            self._ended[key] = runs, ended
        return ended.in_a_row(trigger.name, keep, since, now, most)


def _take(ended: EndedRuns, name: str, run: Entry | None) -> None:
    if run and run.final and run.phase in ENDS and not run.partial:
        own = run.name.startswith(run_name(run.trigger, ""))
        ended.put(EndedRun(run.name, run.phase == "Succeeded", run.created, run.ended, run.trigger if own else ""))
    else:
        ended.drop(name)
