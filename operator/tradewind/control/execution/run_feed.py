"""Takes watch events of runs and their pods into memory."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tradewind.control.dagrun.informer import RunInformer
from tradewind.control.dagrun.listener import RunListener
from tradewind.control.dagrun.run import Caller, Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.unreadable import Unreadable
from tradewind.control.execution.reporter import RunReporter
from tradewind.control.execution.run_start import Room, RunStarter
from tradewind.control.execution.run_table import RunTable
from tradewind.control.podless.executor import Podless
from tradewind.control.pods.labels import pool_id
from tradewind.control.pools.book import PoolBook, User
from tradewind.control.pools.holders import Holders
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.pod import Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import RUNS, Key
from tradewind.kube.work_queue import WorkQueue
from tradewind.model.run import FINAL_PHASES
from tradewind.plan import pacing
from tradewind.plan.capacity.pool_allotment import PoolId
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.outcomes.attempt import parse_key

log = logging.getLogger(__name__)


class RunFeed:
    """Keeps the table of runs in step with the API server. `listener` follows runs, `foreign(run, deleted)` those of other shards."""

    def __init__(
        self,
        client: Client,
        table: RunTable,
        listener: RunListener,
        foreign: Callable[[Run, bool], None],
        beginner: RunStarter,
        podless: Podless,
        book: PoolBook,
        holders: Holders,
        teller: RunReporter,
        unreadable: Unreadable,
        events: EventRecorder,
        namespaces: Sequence[str | None] = (None,),
        owned: Owned = WHOLE,
    ) -> None:
        self._client, self._table, self._owned = client, table, owned
        self._listener, self._foreign, self._teller, self._unreadable = listener, foreign, teller, unreadable
        self._beginner, self._podless, self._book, self._holders = beginner, podless, book, holders
        self.changed_dags: WorkQueue[Key] = WorkQueue("dagruns_of_dag")
        """DAGs whose runs may be able to begin now, or no longer."""
        self.freed: WorkQueue[Key] = WorkQueue("dagruns_next")
        """DAGs of which runs have begun, ended or been deleted, and others may be waiting for that."""
        self._rooms: defaultdict[Key, set[Room]] = defaultdict(set)
        self._versions: dict[Key, tuple[str, Any]] = {}
        """Uids and generations of existing DAGs."""
        self.pods = PodInformer(client, list(namespaces), self._pod_seen, owned.owns)
        self.informer = RunInformer(client, list(namespaces), table.version, self.seen, self.missing, events)

    def seen(self, run: Run, deleted: bool) -> None:
        """A DAGRun was created, changed or deleted. Runs of other shards are ignored, except by triggers that follow them."""
        if not self._owned.owns(run.namespace):
            self._foreign(run, deleted)
        elif deleted:
            self.gone(run)
        else:
            self.take(run)

    def missing(self, namespace: str | None, listed: set[str], version: int) -> None:
        """A list of the runs that have not ended is complete. Known runs that are not on it are read again."""
        for uid, state in self._table.states.items():
            if uid not in listed and state.run.version <= version and namespace in (None, state.run.namespace):
                state.doubt()
                self._table.queue.add(uid)

    def dag_seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted. Waiting runs are reconciled again if its spec has changed; its status affects none."""
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        if deleted:
            self._versions.pop(key, None)
            self._beginner.dag_changed(*key)
            self._dag_deleted(*key)
            return
        version = (meta["uid"], meta.get("generation"))
        if self._versions.get(key) != version:
            self._versions[key] = version
            self._beginner.dag_changed(*key)
            self.changed_dags.add(key)

    def template_changed(self, key: Key) -> None:
        """A template that a DAG uses was created, changed or deleted. Waiting runs are reconciled again."""
        self.changed_dags.add(key)

    async def wake_waiting(self, key: Key) -> None:
        """Wakes the runs of a DAG that have not begun. There may be tens of thousands."""
        for state in pacing.each([*self._table.of_dag(*key)]):
            if state.run.phase in ("", "Queued"):
                self._table.wake(state.run.uid)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed waking."""
        log.error("waking the runs of DAG %s/%s", *key, exc_info=error)
        return None

    def _dag_deleted(self, namespace: str, name: str) -> None:
        """Reports the deletion on the DAG's active runs, which continue."""
        for state in self._table.of_dag(namespace, name):
            if state.run.phase == "Running":
                self._teller.report_dag_deleted(state.run)

    def _pod_seen(self, pod: Pod) -> None:
        self._holders.seen(pod)
        namespace, uid = pod.metadata.namespace, pod.metadata.run_uid
        state = self._table.states.get(uid)
        if state is None or state.run.namespace != namespace:
            self.pods.forget_gone(namespace, uid)
            return
        state.pods.note(pod.metadata.name)
        self._table.wake(uid)

    @contextmanager
    def at_work(self, state: RunState) -> Iterator[None]:
        """While the context is open, the planner may pause. Versions of the run that arrive meanwhile are taken afterwards."""
        newer: list[Run] = []
        try:
            with state.at_work(newer):
                yield
        finally:
            if newer and self._table.states.get(state.run.uid) is state:
                self.take(newer[-1])

    async def refresh(self, state: RunState) -> None:
        """Reads a run whose state in memory is old."""
        try:
            run = read_run(await self._client.get(RUNS, state.run.namespace, state.run.name))
        except NotFound:
            self.gone(state.run)
            return
        if run.uid != state.run.uid:
            self.gone(state.run)
        state.confirm()
        if run.version > state.run.version:
            self.take(run)

    def take(self, run: Run) -> None:
        """Takes a version of a run, unless a newer one is known."""
        state, pods = self._table.states.get(run.uid), self.pods.of(run.namespace, run.uid)
        if state and state.defer(run):
            return
        try:
            if state is None:
                if run.final and not pods:
                    self._heard(run)
                    return
                state = RunState(run, asyncio.get_running_loop().time())
                self._table.add(state)
                state.pods.note(*pods)
            else:
                before = state.run
                if not state.update(run, pods):
                    return
                if before.final != run.final or before.deleting != run.deleting:
                    self._make_room(run, state)
        except ValueError as error:
            self._teller.report_unreadable(run, error)
            self._unreadable.add(run, f"{error}; the run is left alone until its status is fixed")
            self.forget(run, for_now=True)
            return
        self._heard(run)
        self._table.wake(run.uid)

    def changed(self, run: Run, before: str) -> None:
        """This operator has written a new phase of a run, formerly `before`, an update of an asset or a missed deadline."""
        self._heard(run)
        if run.phase == before:
            return
        self._teller.report_phase(run, before)
        if run.final:
            self._book.forget(run.uid)
            self._table.wake(run.uid)  # To be cleaned up: the watch skips versions that are known already.
        if run.phase != "Queued":
            self._make_room(run, self._table.states.get(run.uid))

    def gone(self, run: Run) -> None:
        """A run was deleted."""
        self.forget(run)
        self._heard(run, deleted=True)

    def _heard(self, run: Run, deleted: bool = False) -> None:
        """Reports a run: first to the pools, in which it may hold slots for the run that made it."""
        caller = run.caller
        user = User(run.namespace, caller.run, caller.uid, caller.task) if caller else None
        if caller is None or user is None or deleted:
            self._book.part_gone(run.uid, user, caller.number if caller else 0)
        else:
            over = run.phase in FINAL_PHASES  # One that is asked to continue holds slots once it does.
            needed = self._table.namespace(caller.uid) == run.namespace
            self._book.part_seen(run.uid, user, caller.number, self._claimed(run, caller, over), over, needed)
        self._listener.run_seen(run, deleted)

    def _claimed(self, run: Run, caller: Caller, over: bool) -> Mapping[PoolId, int]:
        """The slots that the task which made a run claims, as far as it is known: anyone who may change the run may change its labels."""
        state = self._table.states.get(caller.uid)
        planner = state.planner if state and state.run.namespace == run.namespace else None
        task = parse_key(caller.task)[0]
        if planner is not None and task in planner.definition.tasks:
            return {pool_id(item, run.namespace): item.slots for item in planner.ledger.pools(task)}
        if over or not run.slots:
            return run.slots
        return self._holders.claimed((run.namespace, caller.run, caller.uid), task, run.slots)

    def forget(self, run: Run, for_now: bool = False) -> None:
        """Drops a run from memory. `for_now`, while it can't be read, its pods are kept."""
        uid, state = run.uid, self._table.drop(run.uid)
        if not for_now:
            self.pods.forget_over(run.namespace, uid)
        self._podless.forget(uid)
        self._book.forget(uid)
        self._beginner.run_gone(uid)
        if state and not self._table.knows(run.namespace, state.run.dag):
            self._beginner.forget(run.namespace, state.run.dag)
        elif (state and not state.run.final) or self._beginner.chained(run.namespace, run.dag):
            self._make_room(state.run if state else run, state)

    def _make_room(self, run: Run, own: RunState | None) -> None:
        """A run, whose state is `own`, has begun, ended or been deleted: those that are next are woken soon. Finding them takes time for
        each run that waits, so one search serves thousands that are deleted together."""
        if (room := self._beginner.room(run, own)) is not None:
            self._rooms[run.namespace, run.dag].add(room)
            self.freed.add((run.namespace, run.dag))

    async def wake_next(self, key: Key) -> None:
        """Wakes the runs of a DAG that may begin since others have begun, ended or been deleted."""
        rooms = self._rooms.pop(key, set())
        try:
            for state in self._beginner.next_in_line(key, rooms, self._table.of_dag(*key)):
                self._table.wake(state.run.uid)
        except Exception:
            self._rooms[key] |= rooms
            raise
