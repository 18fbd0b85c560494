"""Where runs are from: the cluster, the namespace by its uid, and the revision of their DAG."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from tradewind.control.dags.revisions import CAUSE
from tradewind.kube.client import Client
from tradewind.kube.errors import BadName, Forbidden, Garbled, NotFound
from tradewind.kube.resources import NAMESPACES, REVISIONS
from tradewind.model.duration import instant
from tradewind.recorder.record import NAME, TEXT, RunRecord, text
from tradewind.recorder.store.database import Database
from tradewind.recorder.store.writing import Place, Revision, known_revisions

log = logging.getLogger(__name__)
KEPT = 4_096
"""Namespaces and revisions in memory."""
SKEW = 10.0
"""Seconds by which this process's clock may differ from the API server's."""
SPEC = 2 * 2**20
"""Bytes of a spec; a larger one is left out."""


class _Home(NamedTuple):
    uid: str
    created: float
    read: float
    """Epoch seconds."""


class Origins:
    """Asks the API server, and remembers."""

    def __init__(self, client: Client, cluster: str, clock: Callable[[], float] = time.time) -> None:
        """`cluster` is the cluster's uid, `clock` returns epoch seconds."""
        self._client, self.cluster, self._clock = client, cluster, clock
        self._homes: OrderedDict[str, _Home] = OrderedDict()
        self._revisions: OrderedDict[tuple[str, str, str, str], None] = OrderedDict()

    async def uid(self, namespace: str, created: int) -> str:
        """The uid of the namespace in which a run was created (epoch milliseconds). Empty if that one is gone, so that nobody who has a
        namespace of that name now sees the run as theirs. Raises errors of the API, except that it has no such namespace."""
        at = created / 1_000
        home = self._homes.get(namespace)
        if home is None or at >= home.read - SKEW:  # Since then, another one may have its name.
            home = self._homes[namespace] = await self._read(namespace)
            self._homes.move_to_end(namespace)
            while len(self._homes) > KEPT:
                self._homes.popitem(last=False)
        return home.uid if home.created <= at else ""

    async def current(self, namespace: str) -> str:
        """The uid of the namespace of this name now; empty if there is none. Raises errors of the API."""
        return (await self._read(namespace)).uid

    async def _read(self, namespace: str) -> _Home:
        now = self._clock()
        try:
            meta = (await self._client.get(NAMESPACES, "", namespace))["metadata"]
            return _Home(str(meta["uid"]), instant(str(meta["creationTimestamp"])), now)
        except (NotFound, Forbidden, KeyError, ValueError):
            return _Home("", 0.0, now)

    async def revisions(self, database: Database, runs: Sequence[tuple[Place, RunRecord]]) -> list[Revision]:
        """Those that these runs name and that are not on record yet, as far as they are still there. Raises StoreError, and errors of the
        API."""
        named = {
            (place.cluster, place.namespace_uid, run.namespace, run.revision): run
            for place, run in runs
            if run.revision
        }
        wanted = {key: run for key, run in named.items() if key not in self._revisions}
        missing = wanted.keys() - known_revisions(database, wanted) if wanted else set()
        found = [item for key in sorted(missing) if (item := await self._revision(key, wanted[key]))]
        for key in wanted:
            self._revisions[key] = None
        while len(self._revisions) > KEPT:
            self._revisions.popitem(last=False)
        return found

    async def _revision(self, key: tuple[str, str, str, str], run: RunRecord) -> Revision | None:
        cluster, home, namespace, name = key
        local = run.dag.partition(".")[2]
        stored = name.removesuffix(f".{local}") if local else name
        try:
            body = await self._client.get(REVISIONS, namespace, stored)
        except (NotFound, Forbidden, BadName, Garbled):
            return None
        spec = orjson.dumps((body.get("data") or {}).get("spec"))
        if len(spec) > SPEC:
            return None
        notes = (body.get("metadata") or {}).get("annotations") or {}
        cause = text(str(notes.get(CAUSE) or ""), TEXT)
        number = body.get("revision")
        return Revision(
            cluster, namespace, home, text(name, NAME), run.dag, number if isinstance(number, int) else 0, cause, spec
        )
