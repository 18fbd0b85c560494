"""Deletes unneeded revisions: a few at a time, the oldest first, and never one that a run names."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tradewind.control.dagrun.run import Run
from tradewind.control.dags.call_pins import pins_of
from tradewind.control.dags.revisions import HEAD, MANAGED, REVISION_PAGE, Head, Revisions, whole
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, NotFound
from tradewind.kube.labels import DAG
from tradewind.kube.pages import walk
from tradewind.kube.resources import DAGS, REVISIONS, RUNS, Key
from tradewind.kube.struct import Struct
from tradewind.kube.work_queue import WorkQueue
from tradewind.kube.writes import flow
from tradewind.model.dag import DAGSpec
from tradewind.model.dag_name import home
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.retention.revisions import Keep, surplus

log = logging.getLogger(__name__)
BATCH = 20
"""Revisions deleted at once."""
GRACE = 30.0
"""Seconds for which a DAG must be unchanged before any of its revisions is deleted. By then, a run that read the DAG earlier has recorded
its revision."""
REVISION_SWEEP_DELAY = 2.0
"""Seconds until a DAG is checked after one of its runs was deleted: runs are deleted in batches."""
FIRST, AGAIN, RETRY = 10.0, 3600.0, 60.0
"""Seconds from the start to the first survey of all revisions, between surveys, and after a failed one."""
RUNS_PAGE = 100
USUAL = int(DAGSpec.model_fields["revision_history_limit"].default)
EVERYTHING = 1_000_000


class _Status(Struct, frozen=True):
    revision: str = ""
    calls: dict[str, str] = {}


class _Spec(Struct, frozen=True):
    dag: str = ""


class _Named(Struct, frozen=True):
    """A run and the revision that it names."""

    spec: _Spec = _Spec()
    status: _Status | None = None


_NAMED = msgspec.json.Decoder(_Named)


class _Sight(NamedTuple):
    """A DAG as last read."""

    version: str
    """Its uid and generation; empty if it is gone."""
    keep: Keep | None


class RevisionHistory:
    """Keeps as many revisions of each DAG as its spec says."""

    def __init__(
        self, client: Client, revisions: Revisions, namespaces: Sequence[str | None] = (None,), owned: Owned = WHOLE
    ) -> None:
        self._client, self._revisions, self._namespaces, self._owned = client, revisions, namespaces, owned
        self.queue: WorkQueue[Key] = WorkQueue("revisions")
        self._known: dict[Key, Keep] = {}
        """The settings of existing DAGs."""
        self._limits: dict[Key, int] = {}
        """The limits of DAGs with templates."""
        self._calm: dict[Key, tuple[_Sight, float]] = {}
        """DAGs with revisions that could be deleted, and since when (monotonic seconds) they have been unchanged."""
        self._held: dict[Key, frozenset[str]] = {}
        """Revisions that are kept only because runs use them."""

    def dag_seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        if deleted:
            self._known.pop(key, None)
            self._limits.pop(key, None)
            self._revisions.forget(*key)  # Its namespace may be deleted with everything in it.
            self.queue.add(key)
            return
        before, self._known[key] = self._known.get(key), self._keep(key, body)
        if before is not None and before != self._known[key]:
            self.queue.add(key)

    def spec_seen(self, namespace: str, name: str, spec: Any) -> None:
        """The rendered spec of a DAG with templates."""
        key = (namespace, name)
        limit = self._limits[key] = int(spec.get("revisionHistoryLimit", USUAL))
        if (known := self._known.get(key)) and known.limit != limit:
            self._known[key] = known._replace(limit=limit)
            self.queue.add(key)

    def _keep(self, key: Key, body: Object) -> Keep:
        """The setting of a DAG; everything is kept until its template is known."""
        spec = body.get("spec") or {}
        usual = self._limits.get(key, EVERYTHING) if spec.get("template") else USUAL
        limit = spec.get("revisionHistoryLimit")
        return Keep(int((body.get("status") or {}).get("revision") or 0), usual if limit is None else int(limit))

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run changed its phase or was deleted. An ended run calls no more DAGs, but its own revision stays of interest."""
        if deleted:
            self._let_go(run, {run.dag: run.status.get("revision"), **pins_of(run)})
        elif run.final:
            self._let_go(run, pins_of(run))

    def _let_go(self, run: Run, names: Mapping[str, Any]) -> None:
        """Notes that a run no longer uses these revisions, by DAG."""
        for dag, name in names.items():
            if name and whole(name) in self._held.get((run.namespace, home(dag)), ()):
                self.queue.add_after((run.namespace, home(dag)), REVISION_SWEEP_DELAY)

    async def watch(self) -> None:
        """Surveys all revisions now and then, for changes that no event reported. Never returns."""
        pause = FIRST
        while True:
            await asyncio.sleep(pause)
            try:
                await self._survey()
                pause = AGAIN
            except ApiError as error:
                log.warning("looking for old revisions: %s", error)
                pause = RETRY

    async def _survey(self) -> None:
        """Queues the DAGs that may have too many."""
        counts: Counter[Key] = Counter()
        selector = ",".join(f"{label}={value}" for label, value in MANAGED.items())
        for namespace in self._namespaces:
            async for head in walk(self._client, REVISIONS, namespace, HEAD, REVISION_PAGE, labelSelector=selector):
                meta = head.metadata
                if self._owned.owns(meta.namespace) and DAG in meta.labels:
                    counts[meta.namespace, meta.labels[DAG]] += 1
        for key, count in counts.items():
            if key not in self._known or count > self._known[key].limit + 1:
                self.queue.add(key)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("revisions of %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Deletes revisions of a DAG beyond its limit."""
        async with self._revisions.lock(*key):
            await self._reconcile(key, asyncio.get_running_loop().time())

    async def _reconcile(self, key: Key, now: float) -> None:
        sight = await self._read_dag(key)
        if sight is None:
            self.queue.add_after(key, GRACE)  # The current revision is not known yet.
            return
        heads = {head.metadata.name: head for head in await self._revisions.heads(*key)}
        numbers = {name: head.revision for name, head in heads.items()}
        spare = surplus(numbers, sight.keep, ())
        if not spare:
            self._calm.pop(key, None)
            self._held.pop(key, None)
            return
        if key not in self._calm or self._calm[key][0] != sight:
            self._calm[key] = (sight, now)
        due = self._calm[key][1] + GRACE
        if now < due:
            self.queue.add_at(key, due)
            return
        self._revisions.forget(*key, spare)
        used = await uses(self._client, *key)
        gone = surplus(numbers, sight.keep, used)
        self._held[key] = frozenset(used.keys() & numbers.keys())
        with flow(key[0], "history"):
            for name in gone[:BATCH]:
                await self._delete(key, heads[name])
        if len(gone) > BATCH:
            self.queue.add(key)

    async def _read_dag(self, key: Key) -> _Sight | None:
        """Reads the DAG. None while its status, which has the number of the current revision, is behind its spec."""
        try:
            body = await self._client.get(DAGS, *key)
        except NotFound:
            return _Sight("", None)
        meta, status = body["metadata"], body.get("status") or {}
        if status.get("observedGeneration") != meta.get("generation"):
            return None
        return _Sight(f"{meta['uid']}/{meta.get('generation')}", self._keep(key, body))

    async def _delete(self, key: Key, head: Head) -> None:
        with contextlib.suppress(NotFound, Conflict):
            await self._client.delete(REVISIONS, key[0], head.metadata.name, uid=head.metadata.uid)
            log.info("revision %s of DAG %s/%s deleted: no run uses it", head.metadata.name, *key)


async def uses(client: Client, namespace: str, dag: str) -> Counter[str]:
    """By revision: the number of the DAG's runs, and of those of its local DAGs, that name it, and of active runs that call it. Reads all runs, since an operator keeps only
    some of the ended ones in memory."""
    own = {"fieldSelector": f"spec.dag={dag}"}
    # Runs of its local DAGs have the label too. One can outlive the run that made it, if that was deleted without what it owns.
    local = {"fieldSelector": f"spec.dag!={dag}", "labelSelector": f"{DAG}={dag}"}
    found: Counter[str] = Counter()
    for query in (own, local):
        async for run in walk(client, RUNS, namespace, _NAMED, RUNS_PAGE, **query):
            if run.status and run.status.revision and home(run.spec.dag) == dag:
                found[whole(run.status.revision)] += 1
    async for run in walk(client, RUNS, namespace, _NAMED, RUNS_PAGE, fieldSelector="status.phase=Running"):
        found.update(
            {whole(name) for called, name in (run.status.calls if run.status else {}).items() if home(called) == dag}
        )
    return found
