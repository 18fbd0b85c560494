"""Binds a new run to its DAG's spec when it is its turn."""

import asyncio

from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.writes import add_labels, cancel, label
from tradewind.control.execution.run_start import RunStarter
from tradewind.control.execution.run_table import RunTable
from tradewind.control.execution.status_writer import RunStatusWriter
from tradewind.kube.client import Client
from tradewind.kube.pod_informer import PodInformer


class RunBinder:
    """Carries out decisions of `RunStarter`."""

    def __init__(
        self, client: Client, table: RunTable, pods: PodInformer, beginner: RunStarter, writer: RunStatusWriter
    ) -> None:
        self._client, self._table, self._pods = client, table, pods
        self._beginner, self._writer = beginner, writer

    async def bind(self, state: RunState) -> bool:
        """Binds a run, unless it is bound. Returns whether it is running afterwards."""
        if state.run.status.get("revision"):
            return True
        if known := await add_labels(self._client, state.run):
            state.update(known, self._pods.of(known.namespace, known.uid))
            if state.run.final or state.run.status.get("revision"):
                self._table.wake(known.uid)  # The known version was old: the run has begun.
                return False
        run = state.run
        try:
            step = await self._beginner.begin(state, lambda: self._table.peers(run))
            for other in () if self._table.overtaken(state, run) else step.cancel:
                await cancel(self._client, other)
            if step.labels and not self._table.overtaken(state, run):
                run, generation = await label(self._client, run, step.labels), run.generation
                state.update(run, self._pods.of(run.namespace, run.uid))
                if run.generation != generation:
                    self._table.wake(run.uid)  # Its spec has changed since it was decided.
                    return False
            if not self._table.overtaken(state, run):
                await self._writer.save(state, run, step.status)
            if step.again:
                self._table.wake(run.uid)
            if step.retry_after is not None:
                self._table.queue.add_at(run.uid, asyncio.get_running_loop().time() + step.retry_after)
        finally:
            self._beginner.settle(state)
            self._writer.not_before(state, asyncio.get_running_loop().time())
        return state.run.phase == "Running"
