"""The latest runs of triggers, for those that stop firing after failures."""

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.run_index import RunIndex
from tradewind.control.triggers.run_maker import TriggerSnapshot, run_name
from tradewind.kube.client import Client
from tradewind.kube.resources import Key
from tradewind.model.duration import instant
from tradewind.model.history import History
from tradewind.plan import pacing
from tradewind.plan.triggers.failures_in_a_row import EndedRun, in_a_row

ENDS = ("Succeeded", "Failed")


class FailedRuns:
    """Counts failures in a row from the runs that exist."""

    def __init__(self, client: Client) -> None:
        self._runs = RunIndex(client)

    def seen(self, run: Run, deleted: bool) -> bool:
        """A run was created, changed or deleted. Returns whether that may change a count."""
        return self._runs.seen(run, deleted)

    def forget(self, dag: Key) -> None:
        """Drops the runs of a DAG."""
        self._runs.forget(dag)

    async def of(self, trigger: TriggerSnapshot, keep: History, now: float) -> list[str]:
        """The names of a trigger's failed runs after its last success, latest first. Raises errors of the API."""
        since = instant(trigger.spec.failures_since) if trigger.spec.failures_since else float("-inf")
        runs = await self._runs.of((trigger.namespace, trigger.spec.dag))
        prefix = run_name(trigger.name, "")
        ended = [
            EndedRun(run.name, run.phase == "Succeeded", run.created, run.ended, own)
            for run in pacing.each([*runs.values()])
            if run.final and run.phase in ENDS and not run.partial
            for own in [run.trigger == trigger.name and run.name.startswith(prefix)]
        ]
        return in_a_row(ended, keep, since, now)
