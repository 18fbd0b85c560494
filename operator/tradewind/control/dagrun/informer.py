"""The informer of runs: lists those that have not ended, watches all changes, and reads ended runs in the background."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from tradewind.control.dagrun.lean import lean
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.isolation import isolate_errors
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import load, pruned
from tradewind.kube.pages import items, parse_page
from tradewind.kube.reflector import Reflector, parse_head
from tradewind.kube.resources import RUNS

log = logging.getLogger(__name__)
UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Cancelled"
INFORMER_PAGE = 100
"""Runs read at once; fewer where they are large."""
ROUND_AGAIN = 3600.0
"""Seconds until the ended runs are read again, in case an event was missed."""


class RunInformer(Reflector):
    """Calls `seen(run, deleted)` for every change, and `missing(namespace, uids listed, version)` after every list. It stores no runs: a
    hundred thousand ended ones cost no memory."""

    resource = RUNS
    listing: Mapping[str, str] = {"fieldSelector": UNFINISHED, "limit": str(INFORMER_PAGE)}
    watching: Mapping[str, str] = {}

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str | None],
        known: Callable[[str], int],
        seen: Callable[[Run, bool], None],
        missing: Callable[[str | None, set[str], int], None],
        events: EventRecorder | None = None,
    ) -> None:
        """`known(uid)` returns the known resource version of a run, 0 for none."""
        super().__init__(client, namespaces)
        self._known, self._seen, self._missing, self._events = known, seen, missing, events
        self._listed: defaultdict[str | None, set[str]] = defaultdict(set)
        self._look = asyncio.Event()
        """Set when the ended runs are due to be read: an event about one may have been missed."""

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list: nothing is listed yet."""
        self._listed.pop(namespace, None)

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes runs that have not ended, and skips those whose version is known."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                self._listed[namespace].add(parse_head(item).metadata.uid)
                self.take_event("ADDED", item)
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Reports the runs that were on no page: they have ended or been deleted."""
        self._missing(namespace, self._listed.pop(namespace, set()), version)
        self._look.set()

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change. Most were made by the operator and are known already."""
        meta = parse_head(raw).metadata
        if kind == "DELETED" or int(meta.resource_version) > self._known(meta.uid):
            self._tell(raw, kind == "DELETED")

    def _tell(self, raw: bytes, deleted: bool) -> None:
        body = load(lean(pruned(bytes(raw))))
        with isolate_errors(self._events, "DAGRun", body):
            self._seen(read_run(body), deleted)

    async def read_ended(self, done: Callable[[], None]) -> None:
        """Reads the ended runs page by page, at the start and whenever an event may have been missed. Never returns. Calls `done` after
        each complete reading."""
        delay = 1.0
        while True:
            self._look.clear()
            try:
                for namespace in self._namespaces:
                    await self._read(namespace)
                done()
                delay = 1.0
            except ApiError as error:
                log.warning("reading the runs that have ended: %s", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 60)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_AGAIN):
                    await self._look.wait()

    async def _read(self, namespace: str | None) -> None:
        async for item in items(self._client, RUNS, namespace, INFORMER_PAGE):
            with self._alone(item):
                self.take_event("ADDED", item)
            await asyncio.sleep(0)
