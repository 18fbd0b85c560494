"""Deletes pods: those of attempts to stop, those with lingering sidecars, and after a run those that its DAG does not keep."""

import contextlib
from typing import Any

from tradewind.control.dagrun.state import RunState, belongs
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import Conflict, NotFound
from tradewind.kube.fair_queue import Lane
from tradewind.kube.pod import Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import PODS
from tradewind.kube.writes import flow
from tradewind.model.duration import seconds
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.runs.decision import Plan, Stop


class PodRemover:
    """Deletes pods of runs."""

    def __init__(self, client: Client, revisions: Revisions, pods: PodInformer) -> None:
        self._client, self._revisions, self._pods = client, revisions, pods

    async def stop(self, state: RunState, decided: Plan) -> None:
        """Stops attempts as planned, and deletes pods that outlive their attempts."""
        for stop in decided.stops:
            if pod := state.pods.stop((stop.task, stop.number), stop):
                await self._delete(pod, grace=_grace(state, stop))
        for pod in list(state.pods.lingering.values()):
            await self._delete(pod)

    async def stop_all(self, state: RunState) -> None:
        """Stops all attempts of a run."""
        for pod in list(self._pods.of(state.run.namespace, state.run.uid).values()):
            if not pod.over and pod.metadata.deletion_timestamp is None and belongs(pod.metadata, state.run):
                await self._delete(pod)

    async def clean(self, state: RunState) -> None:
        """Deletes what is left of a run that has ended, except the pods that its DAG keeps."""
        run = state.run
        await self.stop_all(state)
        try:
            retention = (await self._revisions.load(run.namespace, run.status.get("revision", ""))).spec.pod_retention
        except (NotFound, Invalid):
            retention = "Always"
        for pod in list(self._pods.of(run.namespace, run.uid).values()):
            unwanted = retention == "Never" or (retention == "OnFailure" and pod.status.phase == "Succeeded")
            if not pod.gone and pod.metadata.deletion_timestamp is None and (unwanted or pod.lingers()):
                await self._delete(pod, Lane.NORMAL)

    async def _delete(self, pod: Pod, lane: Lane = Lane.URGENT, grace: int | None = None) -> None:
        meta = pod.metadata
        options: dict[str, Any] = {} if grace is None else {"gracePeriodSeconds": grace}
        with flow(meta.namespace, meta.run_uid, lane), contextlib.suppress(NotFound, Conflict):
            await self._client.delete(PODS, meta.namespace, meta.name, uid=meta.uid, **options)


def _grace(state: RunState, stop: Stop) -> int | None:
    """Seconds that a pod may take to end, if they differ from its spec: storing artifacts may take long, but a stopped attempt does not
    need them."""
    task = state.planner.definition.tasks[parse_key(stop.task)[0]] if state.planner else None
    if task is None or not task.artifacts or not task.artifacts.outputs:
        return None
    return max(1, round(seconds(task.grace_period))) if task.grace_period else 30
