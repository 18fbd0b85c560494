"""Revisions: every spec of a DAG, numbered, in a ControllerRevision whose content never changes."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import msgspec
import orjson

from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists, NotFound
from tradewind.kube.labels import DAG
from tradewind.kube.nested import decoded
from tradewind.kube.pages import walk
from tradewind.kube.resources import REVISIONS, Key
from tradewind.kube.struct import Struct
from tradewind.plan.dags.compile import define
from tradewind.plan.dags.definition import Definition

CACHED, CACHED_BYTES = 256, 4 * 2**20
"""Definitions in memory, and how long their specs may be together: in memory they take some fifteen times as much. Runs of the same
revision share one."""
NUMBERED, OF_DAG = 4_096, 64
"""DAGs whose latest numbers are in memory, and how many of each: what is known need not be asked for when a run begins."""
REVISION_PAGE = 50
"""Revisions read at once: the largest are over a megabyte."""
ROUGHLY = {"resourceVersion": "0"}
"""What the API server has in its cache, which it answers ten times as fast: a number that turns out to be taken is given up again."""
MANAGED = {"app.kubernetes.io/managed-by": "tradewind"}
CAUSE = "tradewind.dev/change-cause"
"""Annotation of a DAG that says why it was changed, taken over by the revision."""
ROLLBACK = "rollback to "
"""How the cause of a rollback begins. It brings a revision back and makes none: where the annotation is still there at the next edit, it
is not that edit's cause."""
K = TypeVar("K")
V = TypeVar("V")


class Revision(NamedTuple):
    """Where a spec is kept."""

    name: str
    number: int


class _Meta(Struct, frozen=True):
    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: dict[str, str] = {}


class Head(Struct, frozen=True):
    """A revision without its content."""

    metadata: _Meta
    revision: int = 0


HEAD = msgspec.json.Decoder(Head)
_head = partial(decoded, HEAD.decode)


def revision_name(dag: str, spec: Any, source: Any = None) -> str:
    """`<dag>-<hash>`: the same spec is the same revision. Where it was rendered from another `source`, both count."""
    content = spec if source is None else {"spec": spec, "source": source}
    digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]
    return f"{dag}-{digest}"


def lasting(spec: Any) -> Any:
    """A spec without its switch: to suspend and to resume a DAG makes no revision of it."""
    return {key: value for key, value in spec.items() if key != "suspend"} if isinstance(spec, dict) else spec


def written(revision: Object) -> Any:
    """The spec in a revision as its author wrote it."""
    data = revision.get("data") or {}
    return data.get("source") or data.get("spec")


def change_cause(dag: Object) -> str:
    """Why a DAG was changed, if it says so."""
    cause = str((dag["metadata"].get("annotations") or {}).get(CAUSE) or "")
    return "" if cause.startswith(ROLLBACK) else cause


class Revisions:
    """Stores and finds revisions. They have no owner: a run goes on when its DAG is deleted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._definitions: OrderedDict[Key, tuple[Definition, int]] = OrderedDict()
        self._bytes = 0
        """Of their specs."""
        self._numbers: OrderedDict[Key, OrderedDict[str, int]] = OrderedDict()
        """Of each DAG, by name."""
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def bind(
        self, namespace: str, dag: str, spec: Any, definition: Definition, *, source: Any = None, cause: str = ""
    ) -> Revision:
        """As `record`, for a run that begins with it."""
        revision = await self.record(namespace, dag, spec, source=source, cause=cause)
        self._remember((namespace, revision.name), definition, spec)
        return revision

    async def record(self, namespace: str, dag: str, spec: Any, *, source: Any = None, cause: str = "") -> Revision:
        """The revision that holds `spec`, which has to be valid; made if it does not exist. `source` is the spec as written, where `spec`
        is what was rendered from it."""
        spec, source = lasting(spec), lasting(source)
        source = None if source == spec else source
        name = revision_name(dag, spec, source)
        number = self._known(namespace, dag, name)
        if number is None:
            async with self.making(namespace, dag):
                number = self._known(namespace, dag, name)
                if number is None:
                    number = await self._find((namespace, name))
                    if number is None:
                        data = {"spec": spec, **({} if source is None else {"source": source})}
                        number = await self._make((namespace, name), dag, data, cause)
                    numbers = self._numbers.get((namespace, dag), OrderedDict())
                    _keep(numbers, name, number, OF_DAG)
                    _keep(self._numbers, (namespace, dag), numbers, NUMBERED)
        return Revision(name, number)

    async def load(self, namespace: str, name: str) -> Definition:
        """The definition that a run is bound to. Raises NotFound when someone deleted the revision."""
        if known := self._definitions.get((namespace, name)):
            self._definitions.move_to_end((namespace, name))
            return known[0]
        found = await self._client.get(REVISIONS, namespace, name)
        definition = define(found["data"]["spec"])
        self._remember((namespace, name), definition, found["data"]["spec"])
        return definition

    def _remember(self, key: Key, definition: Definition, spec: Any) -> None:
        """Keeps a definition in memory, for which those go that were not used for longest."""
        if key in self._definitions:
            self._definitions.move_to_end(key)
            return
        size = len(orjson.dumps(spec))
        self._definitions[key] = (definition, size)
        self._bytes += size
        while len(self._definitions) > CACHED or (self._bytes > CACHED_BYTES and len(self._definitions) > 1):
            _, (_, gone) = self._definitions.popitem(last=False)
            self._bytes -= gone

    def at_hand(self, namespace: str, dag: str, spec: Any) -> Definition | None:
        """The definition of a spec that uses no templates, if it is in memory."""
        known = self._definitions.get((namespace, revision_name(dag, spec)))
        return known[0] if known else None

    async def named(self, namespace: str, dag: str, name: str) -> Revision:
        """A revision of a DAG by its name. Raises NotFound."""
        number = self._known(namespace, dag, name)
        if number is None and (number := await self._find((namespace, name))) is None:
            raise NotFound(404, "NotFound", f"there is no revision {name}")
        return Revision(name, number)

    def making(self, namespace: str, dag: str) -> asyncio.Lock:
        """Held while revisions of a DAG are made or deleted."""
        key = (namespace, dag)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def forget(self, namespace: str, dag: str, names: Iterable[str] | None = None) -> None:
        """Revisions (None: any of the DAG's) may be deleted: who needs one asks for it again. For names under `making`, so that the
        answer comes after."""
        if names is None:
            self._numbers.pop((namespace, dag), None)
        elif numbers := self._numbers.get((namespace, dag)):
            for name in names:
                numbers.pop(name, None)

    async def heads(self, namespace: str, dag: str, **query: str) -> list[Head]:
        """All revisions of a DAG, without their content."""
        pages = walk(self._client, REVISIONS, namespace, HEAD, REVISION_PAGE, labelSelector=f"{DAG}={dag}", **query)
        return [head async for head in pages]

    def _known(self, namespace: str, dag: str, name: str) -> int | None:
        numbers = self._numbers.get((namespace, dag))
        if numbers is None or name not in numbers:
            return None
        self._numbers.move_to_end((namespace, dag))
        numbers.move_to_end(name)
        return numbers[name]

    async def _find(self, key: Key) -> int | None:
        try:
            return _head(await self._client.get_raw(REVISIONS, *key)).revision
        except NotFound:
            return None

    async def _make(self, key: Key, dag: str, data: Object, cause: str) -> int:
        """Creates a revision with the next number, as its DAG's revisions tell it."""
        namespace, name = key
        body = {
            "apiVersion": REVISIONS.api_version,
            "kind": REVISIONS.kind,
            "metadata": {
                "name": name,
                "labels": {DAG: dag, **MANAGED},
                **({"annotations": {CAUSE: cause}} if cause else {}),
            },
            "revision": _next(await self.heads(namespace, dag, **ROUGHLY)),
            "data": data,
        }
        try:
            head = _head(await self._client.create(REVISIONS, namespace, body))
        except AlreadyExists:  # Another operator was first.
            return _head(await self._client.get_raw(REVISIONS, namespace, name)).revision
        return await self._alone(dag, body, head)

    async def _alone(self, dag: str, body: Object, head: Head) -> int:
        """The number of a revision just written as `body`. Two operators at once may have given out the same one for two specs: the later
        write sees the earlier, and gives way."""
        while True:
            meta = head.metadata
            heads = await self.heads(
                meta.namespace, dag, resourceVersion=meta.resource_version, resourceVersionMatch="NotOlderThan"
            )
            if not any(other.revision == head.revision and _earlier(other, head) for other in heads):
                return head.revision
            # No patch: a real server encodes the content anew for one, and takes it for another.
            named = {**body["metadata"], "uid": meta.uid, "resourceVersion": meta.resource_version}
            body = {**body, "metadata": named, "revision": _next(heads)}
            head = msgspec.convert(await self._client.replace(REVISIONS, meta.namespace, meta.name, body), Head)


def _next(heads: list[Head]) -> int:
    return max((head.revision for head in heads), default=0) + 1


def _earlier(one: Head, other: Head) -> bool:
    return one.metadata.uid != other.metadata.uid and int(one.metadata.resource_version) < int(
        other.metadata.resource_version
    )


def _keep(cache: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > most:
        cache.popitem(last=False)
