"""The runs that have not ended, or that have pods still: which there are, who is to be looked at, and since when."""

import time
from collections import defaultdict
from collections.abc import Iterator

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.kube.work_queue import WorkQueue


class RunTable:
    """States of runs by uid."""

    def __init__(self) -> None:
        self.states: dict[str, RunState] = {}
        self.queue: WorkQueue[str] = WorkQueue("dagrun", self.namespace)
        self._of_dag: defaultdict[tuple[str, str], dict[str, RunState]] = defaultdict(dict)
        self._woken: dict[str, float] = {}
        """When (perf_counter) the first event came that the next pass of a run reacts to."""

    def namespace(self, uid: str) -> str:
        """The namespace of a run; empty where it is not known."""
        state = self.states.get(uid)
        return state.run.namespace if state else ""

    def version(self, uid: str) -> int:
        """The resource version that is known of a run; 0 for none."""
        state = self.states.get(uid)
        return state.run.version if state else 0

    def begun(self, uid: str) -> RunState | None:
        """A run that has begun, as it is in memory."""
        state = self.states.get(uid)
        return state if state and state.run.status.get("revision") else None

    def overtaken(self, state: RunState, run: Run) -> bool:
        """Whether what was worked out of `run` is old: the run has changed meanwhile, or is gone."""
        return state.run.version != run.version or self.states.get(run.uid) is not state

    def peers(self, run: Run) -> Iterator[RunState]:
        """The runs of the same DAG, this one among them."""
        return self.of_dag(run.namespace, run.dag)

    def of_dag(self, namespace: str, name: str) -> Iterator[RunState]:
        """The runs of a DAG."""
        yield from self._of_dag.get((namespace, name), {}).values()

    def knows(self, namespace: str, name: str) -> bool:
        """Whether there are runs of a DAG."""
        return (namespace, name) in self._of_dag

    def add(self, state: RunState) -> None:
        """A run is new."""
        run = state.run
        self.states[run.uid] = self._of_dag[run.namespace, run.dag][run.uid] = state

    def drop(self, uid: str) -> RunState | None:
        """A run is gone, or of no interest any more; what was known of it."""
        state = self.states.pop(uid, None)
        self.queue.forget(uid)
        self._woken.pop(uid, None)
        if state is not None:
            key = (state.run.namespace, state.run.dag)
            self._of_dag[key].pop(uid, None)
            if not self._of_dag[key]:
                del self._of_dag[key]
        return state

    def wake(self, uid: str) -> None:
        """Something about a run may have changed."""
        if uid in self.states:
            self._woken.setdefault(uid, time.perf_counter())
            self.queue.add(uid)

    def woken_at(self, uid: str) -> float | None:
        """When the first event came that a pass reacts to which begins now."""
        return self._woken.pop(uid, None)
