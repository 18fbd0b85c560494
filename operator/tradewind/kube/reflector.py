"""Lists, then watches: keeps a local copy of objects of the API server, whatever fails on the way."""

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from types import TracebackType

import msgspec
from prometheus_client import Gauge

from tradewind import metrics
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Garbled, Gone, NotFound, Unavailable, from_status
from tradewind.kube.lists import Event, Head, ListMetadata
from tradewind.kube.nested import decoded
from tradewind.kube.pages import Pager
from tradewind.kube.resources import Resource

log = logging.getLogger(__name__)
parse_event = partial(decoded, msgspec.json.Decoder(Event).decode)
parse_head = partial(decoded, msgspec.json.Decoder(Head).decode)
KINDS = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
UNREADABLE = (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""Errors caused by malformed objects."""
ENOUGH = 3
"""Consecutive unreadable watches before everything is listed again, and consecutive times that a watch may fall behind without a pause."""
RESYNC = 600.0
"""Approximate seconds until everything is listed again, to find what a watch may have missed."""
PAUSE = 0.25
"""Seconds between two pages of such a list, so that it delays no other requests."""
SHORT = 1.0
"""Seconds. A watch that ended sooner and without events is not restarted at once."""


class Reflector(ABC):
    """Follows one kind of object in some namespaces (None: all of them). Subclasses take the pages and events."""

    resource: Resource
    listing: Mapping[str, str]
    """Query of the list, with the size of its pages."""
    watching: Mapping[str, str]
    """Query of the watch, which may cover more than the list."""
    lists_again = True
    """Whether everything is listed now and then, beside the watch."""

    def __init__(self, client: Client, namespaces: Sequence[str | None]) -> None:
        self._client, self._namespaces = client, namespaces
        self._unsynced = set(namespaces)
        self._reached: dict[str | None, str] = {}
        """The resource version that each watch has reached; missing if a list has to come first."""
        self._listing = {namespace: asyncio.Lock() for namespace in namespaces}
        self._errors: dict[str | None, int] = dict.fromkeys(namespaces, 0)
        """Consecutive errors of each watch."""
        self.synced = asyncio.Event()
        """Set once all objects that existed at the start are known."""
        self.heard_at = time.monotonic()
        """When the watch last reported anything, in monotonic seconds."""

    @abstractmethod
    def begin_list(self, namespace: str | None) -> None:
        """A list begins. The one before may not have been completed."""

    @abstractmethod
    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes a page of a list."""

    @abstractmethod
    def end_list(self, namespace: str | None, version: int) -> None:
        """A list is complete: known objects that are older than `version` and were on none of its pages are gone."""

    @abstractmethod
    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change: ADDED, MODIFIED or DELETED."""

    async def run(self) -> None:
        """Lists and watches. Never returns."""
        await asyncio.gather(*(self._follow(namespace) for namespace in self._namespaces), self._resync())

    async def _follow(self, namespace: str | None) -> None:
        plural = self.resource.plural
        while True:
            try:
                if namespace not in self._reached:
                    self._reached[namespace] = await self._list(namespace)
                    self._unsynced.discard(namespace)
                    if not self._unsynced:
                        self.synced.set()
                await self._watch(namespace)
                continue
            except Gone:
                log.info("the watch of %s fell behind and lists again", plural)
                self._reached.pop(namespace, None)
                self._errors[namespace] += 1
                if self._errors[namespace] <= ENOUGH:
                    continue
            except ApiError as error:
                # A broken watch continues where it was. It lists again only if that is refused (410), or if events can't be read.
                self._errors[namespace] += 1
                words = str(error)
                if isinstance(error, NotFound):
                    words = f"the API server knows no {plural}: install the CRDs, by the chart or from crds/"
                if isinstance(error, Garbled) and self._errors[namespace] % ENOUGH == 0:
                    self._reached.pop(namespace, None)
                log.warning("watching %s: %s", plural, words)
            except Exception as error:  # An internal error must end neither this watch nor the whole process.
                self._errors[namespace] += 1
                self._reached.pop(namespace, None)
                log.error("watching %s", plural, exc_info=error)
            pause = min(0.1 * 2 ** min(self._errors[namespace], 8), 15)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311

    async def _resync(self) -> None:
        """Lists everything now and then, beside the watch."""
        await self.synced.wait()
        while self.lists_again:
            await asyncio.sleep(RESYNC * random.uniform(0.75, 1.25))  # noqa: S311 - operators that started together should not list together
            for namespace in self._namespaces:
                try:
                    await self._list(namespace, PAUSE)
                except ApiError as error:
                    log.info("listing %s once more: %s", self.resource.plural, error)

    async def _list(self, namespace: str | None, pause: float = 0.0) -> str:
        async with self._listing[namespace]:
            self.begin_list(namespace)
            return await self._pages(namespace, pause)

    async def _pages(self, namespace: str | None, pause: float) -> str:
        query = dict(self.listing)
        pager, token = Pager(self._client, self.resource, namespace, int(query.pop("limit")), **query), ""
        while True:
            meta = self.take_page(namespace, await pager.page(token))
            if not meta.continue_:
                break
            if token == meta.continue_:
                raise Garbled("a list that goes on where it was")
            token = meta.continue_
            await asyncio.sleep(pause)
        if not is_version(meta.resource_version, least=0):
            raise Garbled(f"a list of the resource version {meta.resource_version[:80]!r}")
        self.end_list(namespace, int(meta.resource_version))
        self._note_contact()
        return meta.resource_version

    async def _watch(self, namespace: str | None) -> None:
        version = self._reached[namespace]
        timeout = str(random.randint(280, 340))  # noqa: S311 - watches that end together would come back together
        clock = asyncio.get_running_loop().time
        began, silent = clock(), True
        async for line in self._client.watch(
            self.resource, namespace, resourceVersion=version, timeoutSeconds=timeout, **self.watching
        ):
            if line:
                self.take(namespace, line)
                self._errors[namespace], silent = 0, False
        if silent and clock() < began + SHORT:
            raise Unavailable(0, "Ended", "the watch ended at once")
        self._note_contact()

    def take(self, namespace: str | None, line: bytes) -> None:
        """Takes a line of a watch. Raises the error of an ERROR event, and Garbled. An object that can't be read is skipped."""
        try:
            event = parse_event(line)
            if event.type == "ERROR":
                raise _error_of(event.object)
            head = parse_head(event.object)
        except msgspec.MsgspecError as error:
            raise Garbled(f"an event that can't be read: {error}") from None
        version = head.metadata.resource_version
        if event.type not in KINDS or head.kind not in ("", self.resource.kind) or not is_version(version):
            log.warning("watching %s: skipped %.20r of %.80r", self.resource.plural, event.type, head)
            return
        self._note_contact()
        if event.type != "BOOKMARK":
            with self._alone(event.object):
                self.take_event(event.type, event.object)
        self._reached[namespace] = version

    def _alone(self, raw: bytes) -> "Alone":
        """Isolates errors of an object, so that it blocks no other."""
        return Alone(self.resource, raw)

    @cached_property
    def _last_event(self) -> Gauge:
        return metrics.watch_last_event.labels(self.resource.plural)

    def _note_contact(self) -> None:
        self.heard_at = time.monotonic()
        self._last_event.set(time.time())


class Alone:
    """Logs errors about an object, except those of the API server. It is not a generator, as there is one for every event."""

    __slots__ = ("_raw", "_resource")

    def __init__(self, resource: Resource, raw: bytes) -> None:
        self._resource, self._raw = resource, raw

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, ApiError):
            return False
        shown = bytes(memoryview(self._raw)[:200])
        log.error("an object of %s can't be read and is skipped: %r", self._resource.plural, shown, exc_info=error)
        return True


def is_version(text: str, least: int = 1) -> bool:
    """Whether a text is a resource version to continue from. That of an object is never 0."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) >= least


def _error_of(raw: bytes) -> ApiError:
    """The error in a watch event."""
    status = msgspec.json.decode(raw)
    status = status if isinstance(status, dict) else {}
    code = status.get("code")
    return from_status(code if isinstance(code, int) else 500, status)
