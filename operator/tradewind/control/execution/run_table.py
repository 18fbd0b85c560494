"""The table of runs that have not ended or still have pods, and the queue of those to reconcile."""

import time
from collections import defaultdict
from collections.abc import Iterator

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.evaluation.footprints import Footprints
from tradewind.kube.work_queue import WorkQueue


class RunTable:
    """States of runs by uid."""

    def __init__(self) -> None:
        self.states: dict[str, RunState] = {}
        self.queue: WorkQueue[str] = WorkQueue("dagrun", self.namespace)
        self._of_dag: defaultdict[tuple[str, str], dict[str, RunState]] = defaultdict(dict)
        self.footprints = Footprints()
        self._woken: dict[str, float] = {}
        """By uid: when (perf_counter) the first event occurred that the next pass reacts to."""

    def namespace(self, uid: str) -> str:
        """The namespace of a run; empty if the run is unknown."""
        state = self.states.get(uid)
        return state.run.namespace if state else ""

    def version(self, uid: str) -> int:
        """The known resource version of a run; 0 if the run is unknown."""
        state = self.states.get(uid)
        return state.run.version if state else 0

    def begun(self, uid: str) -> RunState | None:
        """The state of a run, if it has begun."""
        state = self.states.get(uid)
        return state if state and state.run.status.get("revision") else None

    def overtaken(self, state: RunState, run: Run) -> bool:
        """Whether results computed from `run` are outdated: the run has changed since, or is gone."""
        return state.run.version != run.version or self.states.get(run.uid) is not state

    def peers(self, run: Run) -> Iterator[RunState]:
        """The runs of the same DAG, including this one."""
        return self.of_dag(run.namespace, run.dag)

    def of_dag(self, namespace: str, name: str) -> Iterator[RunState]:
        """The runs of a DAG."""
        yield from self._of_dag.get((namespace, name), {}).values()

    def knows(self, namespace: str, name: str) -> bool:
        """Whether there are runs of a DAG."""
        return (namespace, name) in self._of_dag

    def add(self, state: RunState) -> None:
        """Adds a new run."""
        run = state.run
        self.states[run.uid] = self._of_dag[run.namespace, run.dag][run.uid] = state

    def drop(self, uid: str) -> RunState | None:
        """Drops a run that is gone or no longer needed. Returns its state."""
        state = self.states.pop(uid, None)
        self.queue.forget(uid)
        self._woken.pop(uid, None)
        self.footprints.drop(uid)
        if state is not None:
            key = (state.run.namespace, state.run.dag)
            self._of_dag[key].pop(uid, None)
            if not self._of_dag[key]:
                del self._of_dag[key]
        return state

    def wake(self, uid: str) -> None:
        """Queues a run that may have changed."""
        if uid in self.states:
            self._woken.setdefault(uid, time.perf_counter())
            self.queue.add(uid)

    def take_woken_at(self, uid: str) -> float | None:
        """Takes the time of the first event that the pass reacts to."""
        return self._woken.pop(uid, None)
