"""Tasks that wait for the same task of the run before (waitForPrevious of a task)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.run_index import Entry
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.task_states import NoSuchTask, TaskEnds, TaskStates, TasksUnreadable
from tradewind.control.dags.start_values import StartValues
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import RUNS, Key
from tradewind.model.duration import stamp
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.planner import Planner

LOOK_AGAIN = 30.0
"""Seconds until a run that waits reads it again, in case it was not woken: another run may have come in between."""
LOOKED_THROUGH = 100
"""Runs of a DAG that a waiting run looks through a second, at most, if nothing happens."""
LOOKED_THROUGH_AT_NEWS = 10_000
"""The same if the run before changes all the time."""
SOON = 1.0
"""The same while the run before is active and its tasks are not in memory, as after a restart."""
LETS_START = frozenset({State.SUCCEEDED, State.SKIPPED})


class PreviousTasks:
    """Tells planners what their tasks wait for in the run before. `states` are the runs in memory, by uid; `wake(uid, delay)` has one
    reconciled some seconds later. Nothing is stored: the answer follows from the runs that exist."""

    def __init__(
        self,
        client: Client,
        values: StartValues,
        ends: TaskStates,
        states: Mapping[str, RunState],
        wake: Callable[[str, float], None],
    ) -> None:
        self._client, self._values, self._ends, self._states, self._wake = client, values, ends, states, wake
        self._waiting: defaultdict[Key, dict[str, float]] = defaultdict(dict)
        """Uids of the runs that wait for a run, by its namespace and name, and the seconds after which they ask: a DAG may have
        very many runs, and a run may write its status often."""

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted, or its status was written."""
        for uid, delay in self._waiting.pop((run.namespace, run.name), {}).items():
            self._wake(uid, delay)

    async def inform(self, run: Run, planner: Planner) -> float | None:
        """Tells a settled planner what its tasks wait for. Returns the seconds until that has to be repeated; None if nothing waits.
        Raises errors of the API."""
        if not (tasks := planner.asks_previous()):
            return None
        found, count = await self._values.predecessor(run)
        if found is not None:
            # Before it is read: what changes from now on wakes the run.
            self._waiting[run.namespace, found.name][run.uid] = count / LOOKED_THROUGH_AT_NEWS
        words, again = (
            await self._words(run.namespace, found, tasks) if found else (dict.fromkeys(tasks, ""), LOOK_AGAIN)
        )
        for task in tasks:
            planner.tell_previous(task, words[task])
        return max(again, count / LOOKED_THROUGH) if any(words.values()) else None

    async def _words(self, namespace: str, found: Entry, tasks: Iterable[str]) -> tuple[dict[str, str], float]:
        """What tasks wait for, and the seconds until that is looked up again."""
        state = self._states.get(found.uid)
        active = state is not None and not state.run.final
        which = f"run {found.name} of {stamp(found.moment)}"
        try:
            read, phase = None if active else self._ends.remembered(found.uid, found.version), ""
            if read is None:
                other = await self._run(namespace, found, state)
                if other is None:
                    self._values.lost(namespace, found)
                    return dict.fromkeys(tasks, f"waits for {which}, which is being looked up"), SOON
                read, phase = await self._ends.read(other), other.phase
        except TasksUnreadable as error:
            words = f"waits for {which} (waitForPrevious), but {error}: delete it to go on without it"
            return dict.fromkeys(tasks, words), LOOK_AGAIN
        again = LOOK_AGAIN if read.known or phase in ("", "Queued") else SOON
        return {task: self._read(read, task, which) for task in tasks}, again

    async def _run(self, namespace: str, found: Entry, state: RunState | None) -> Run | None:
        """The run before; None if there is none of that uid any more."""
        try:
            run = state.run if state else read_run(await self._client.get(RUNS, namespace, found.name))
        except NotFound:
            return None
        return run if run.uid == found.uid else None

    def _read(self, read: TaskEnds, task: str, which: str) -> str:
        try:
            end = read.of(task)
        except NoSuchTask:
            end = State.SKIPPED  # The DAG did not have it then.
        except TasksUnreadable as error:
            return f"waits for {which} (waitForPrevious), but {error}"
        return _words(task, which, end)


def _words(task: str, which: str, end: str) -> str:
    """What a task waits for, given how the same task of the run before has ended; empty if it may start."""
    if end in LETS_START:
        return ""
    if not end:
        return f"waits for {task} of {which} (waitForPrevious)"
    return f"waits for {task} of {which}, which ended as {end} (waitForPrevious): retry or mark it, or delete that run"
