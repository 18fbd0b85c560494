"""Lists, then watches, forever: keeps a local copy of what is in the API server, whatever fails on the way."""

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
"""What goes wrong where an object is not what it should be."""
ENOUGH = 3
"""So often in a row a watch may say what can't be read before a list has to say where things are, or fall behind without a pause."""
RESYNC = 600.0
"""Seconds, about, after which everything is listed once more: it finds what a watch has missed, should one have."""
PAUSE = 0.25
"""Seconds between two pages of such a list: it is to be in nobody's way."""
SHORT = 1.0
"""Seconds. A watch that ends sooner and has said nothing is not asked for again at once."""


class Reflector(ABC):
    """One kind of object in some namespaces (None: all of them). Subclasses say what becomes of pages and events."""

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
        """How far each watch has come; missing where a list has to come first."""
        self._listing = {namespace: asyncio.Lock() for namespace in namespaces}
        self._errors: dict[str | None, int] = dict.fromkeys(namespaces, 0)
        """How often in a row each went wrong."""
        self.synced = asyncio.Event()
        """Set once everything that there was at the start is known."""
        self.heard_at = time.monotonic()
        """When the watch last said something, in monotonic seconds."""

    @abstractmethod
    def begin(self, namespace: str | None) -> None:
        """A list begins. One before it may not have come to its end."""

    @abstractmethod
    def page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes a page of a list."""

    @abstractmethod
    def listed(self, namespace: str | None, version: int) -> None:
        """A list is complete: what is known, is older than `version` and was on none of its pages, is there no more."""

    @abstractmethod
    def event(self, kind: str, raw: bytes) -> None:
        """Takes a change: ADDED, MODIFIED or DELETED."""

    async def run(self) -> None:
        """Lists and watches, for ever."""
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
                # A watch that breaks goes on where it was; only a refusal to do so (410), or what can't be read, makes it list again.
                self._errors[namespace] += 1
                words = str(error)
                if isinstance(error, NotFound):
                    words = f"the API server knows no {plural}: install the CRDs, by the chart or from crds/"
                if isinstance(error, Garbled) and self._errors[namespace] % ENOUGH == 0:
                    self._reached.pop(namespace, None)
                log.warning("watching %s: %s", plural, words)
            except Exception as error:  # A fault of ours ends neither this watch nor, with it, everybody's work.
                self._errors[namespace] += 1
                self._reached.pop(namespace, None)
                log.error("watching %s", plural, exc_info=error)
            pause = min(0.1 * 2 ** min(self._errors[namespace], 8), 15)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311

    async def _resync(self) -> None:
        """Lists everything now and then, beside the watch."""
        await self.synced.wait()
        while self.lists_again:
            await asyncio.sleep(RESYNC * random.uniform(0.75, 1.25))  # noqa: S311 - operators that started together are not to list together
            for namespace in self._namespaces:
                try:
                    await self._list(namespace, PAUSE)
                except ApiError as error:
                    log.info("listing %s once more: %s", self.resource.plural, error)

    async def _list(self, namespace: str | None, pause: float = 0.0) -> str:
        async with self._listing[namespace]:
            self.begin(namespace)
            return await self._pages(namespace, pause)

    async def _pages(self, namespace: str | None, pause: float) -> str:
        query = dict(self.listing)
        pager, token = Pager(self._client, self.resource, namespace, int(query.pop("limit")), **query), ""
        while True:
            meta = self.page(namespace, await pager.page(token))
            if not meta.continue_:
                break
            if token == meta.continue_:
                raise Garbled("a list that goes on where it was")
            token = meta.continue_
            await asyncio.sleep(pause)
        if not is_version(meta.resource_version, least=0):
            raise Garbled(f"a list of the resource version {meta.resource_version[:80]!r}")
        self.listed(namespace, int(meta.resource_version))
        self._heard()
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
        self._heard()

    def take(self, namespace: str | None, line: bytes) -> None:
        """Takes a line of a watch. Raises what an ERROR says, and Garbled; an object that can't be read is left alone."""
        try:
            event = parse_event(line)
            if event.type == "ERROR":
                raise _told(event.object)
            head = parse_head(event.object)
        except msgspec.MsgspecError as error:
            raise Garbled(f"an event that can't be read: {error}") from None
        version = head.metadata.resource_version
        if event.type not in KINDS or head.kind not in ("", self.resource.kind) or not is_version(version):
            log.warning("watching %s: passed over %.20r of %.80r", self.resource.plural, event.type, head)
            return
        self._heard()
        if event.type != "BOOKMARK":
            with self._alone(event.object):
                self.event(event.type, event.object)
        self._reached[namespace] = version

    def _alone(self, raw: bytes) -> "Alone":
        """An object that can't be read stops no other."""
        return Alone(self.resource, raw)

    @cached_property
    def _last_event(self) -> Gauge:
        return metrics.watch_last_event.labels(self.resource.plural)

    def _heard(self) -> None:
        self.heard_at = time.monotonic()
        self._last_event.set(time.time())


class Alone:
    """Logs what goes wrong inside with an object, unless the API server says it. No generator: there is one for every event."""

    __slots__ = ("_raw", "_resource")

    def __init__(self, resource: Resource, raw: bytes) -> None:
        self._resource, self._raw = resource, raw

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, ApiError):
            return False
        shown = bytes(memoryview(self._raw)[:200])
        log.error("of %s one can't be read and is left alone: %r", self._resource.plural, shown, exc_info=error)
        return True


def is_version(text: str, least: int = 1) -> bool:
    """Whether a text is a resource version that can be gone on from. That of an object is never 0."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) >= least


def _told(raw: bytes) -> ApiError:
    """The error in a stream."""
    status = msgspec.json.decode(raw)
    status = status if isinstance(status, dict) else {}
    code = status.get("code")
    return from_status(code if isinstance(code, int) else 500, status)
