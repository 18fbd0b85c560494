"""Deletes pods: those of attempts to stop, those with lingering sidecars, and after a run those that its DAG does not keep."""

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from tradewind import metrics
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState, belongs
from tradewind.control.dags.revisions import Revisions
from tradewind.control.retention.recorded import Recorded
from tradewind.control.retention.runs import ended_at
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

log = logging.getLogger(__name__)
LOG_PATIENCE = 600.0
"""Seconds after a run's end for which its pods wait until their logs are stored."""


class PodRemover:
    """Deletes pods of runs."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        pods: PodInformer,
        recorded: Recorded | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With `recorded`, pods of ended runs wait until their logs are stored. `clock` returns epoch seconds."""
        self._client, self._revisions, self._pods = client, revisions, pods
        self._recorded, self._clock = recorded, clock

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

    async def clean(self, state: RunState) -> bool:
        """Deletes what is left of a run that has ended, except the pods that its DAG keeps. Returns False if some wait for their logs to be
        stored."""
        run = state.run
        await self.stop_all(state)
        try:
            retention = (await self._revisions.load(run.namespace, run.status.get("revision", ""))).spec.pod_retention
        except (NotFound, Invalid):
            retention = "Always"
        there = [
            pod
            for pod in self._pods.of(run.namespace, run.uid).values()
            if not pod.gone and pod.metadata.deletion_timestamp is None
        ]
        unwanted = [
            pod
            for pod in there
            if retention == "Never" or (retention == "OnFailure" and pod.status.phase == "Succeeded") or pod.lingers()
        ]
        if unwanted and await self._waits_for_logs(run, max(pod.version for pod in unwanted)):
            return False
        for pod in unwanted:
            await self._delete(pod, Lane.NORMAL)
        return True

    async def _waits_for_logs(self, run: Run, version: int) -> bool:
        if self._recorded is None or not self._recorded.logs or (await self._recorded.mark()).logs >= version:
            return False
        if self._clock() < ended_at(run) + LOG_PATIENCE:
            return True
        metrics.logs_unstored.inc()
        log.warning(
            "%s/%s: its pods are deleted before their logs are stored: the recorder is away or behind",
            run.namespace,
            run.name,
        )
        return False

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
