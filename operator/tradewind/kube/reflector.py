"""List, then watch, for ever: what is in the API server becomes known here, whatever breaks on the way."""

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from tradewind import metrics
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Gone, NotFound, from_status
from tradewind.kube.pod import Event, ListMetadata
from tradewind.kube.resources import Resource

log = logging.getLogger(__name__)
parse_event = msgspec.json.Decoder(Event).decode


class Reflector(ABC):
    """One kind of object in some namespaces (None: all of them). Subclasses say what becomes of pages and events."""

    resource: Resource
    listing: Mapping[str, str]
    """Query of the list, with the size of its pages."""
    watching: Mapping[str, str]
    """Query of the watch, which may cover more than the list."""

    def __init__(self, client: Client, namespaces: Sequence[str | None]) -> None:
        self._client, self._namespaces = client, namespaces
        self._unsynced = set(namespaces)
        self._reached: dict[str | None, str] = {}
        """How far each watch has come; missing where a list has to come first."""
        self.synced = asyncio.Event()
        """Set once everything that there was at the start is known."""
        self.heard_at = time.monotonic()
        """When the watch last said something, in monotonic seconds."""

    @abstractmethod
    def page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes a page of a list."""

    @abstractmethod
    def listed(self, namespace: str | None, version: int) -> None:
        """A list is complete: what is known, is older than `version` and was on none of its pages, is there no more."""

    @abstractmethod
    def event(self, kind: str, raw: bytes) -> str:
        """Takes an event, a BOOKMARK included; the object's resource version."""

    async def run(self) -> None:
        """Lists and watches, for ever."""
        await asyncio.gather(*(self._follow(namespace) for namespace in self._namespaces))

    async def _follow(self, namespace: str | None) -> None:
        plural = self.resource.plural
        errors = 0
        while True:
            try:
                if namespace not in self._reached:
                    self._reached[namespace] = await self._list(namespace)
                    self._unsynced.discard(namespace)
                    if not self._unsynced:
                        self.synced.set()
                await self._watch(namespace)
                self._heard()
                errors = 0
            except Gone:
                log.info("the watch of %s fell behind and lists again", plural)
                self._reached.pop(namespace, None)
            except (ApiError, msgspec.MsgspecError) as error:
                # A watch that breaks goes on where it was; only a refusal to do so (410) makes it list again.
                errors += 1
                words = str(error)
                if isinstance(error, NotFound):
                    words = f"the API server knows no {plural}: install the CRDs, by the chart or from crds/"
                log.warning("watching %s: %s", plural, words)
                await asyncio.sleep(min(0.1 * 2 ** min(errors, 8), 15) * random.uniform(0.75, 1.25))  # noqa: S311

    async def _list(self, namespace: str | None) -> str:
        query = dict(self.listing)
        while True:
            meta = self.page(namespace, await self._client.list_raw(self.resource, namespace, **query))
            if not meta.continue_:
                break
            query["continue"] = meta.continue_
        self.listed(namespace, int(meta.resource_version))
        self._heard()
        return meta.resource_version

    async def _watch(self, namespace: str | None) -> None:
        version = self._reached[namespace]
        timeout = str(random.randint(280, 340))  # noqa: S311 - watches that end together would come back together
        async for line in self._client.watch(
            self.resource, namespace, resourceVersion=version, timeoutSeconds=timeout, **self.watching
        ):
            if not line:
                continue
            event = parse_event(line)
            self._heard()
            if event.type == "ERROR":
                status = msgspec.json.decode(event.object)
                raise from_status(int(status.get("code") or 500), status)
            self._reached[namespace] = self.event(event.type, event.object)

    def _heard(self) -> None:
        self.heard_at = time.monotonic()
        metrics.watch_last_event.labels(self.resource.plural).set(time.time())
