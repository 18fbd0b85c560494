"""Revisions: numbered copies of every spec of a DAG, each in a ControllerRevision whose content never changes."""

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
from tradewind.model.dag_name import home
from tradewind.plan.dags.compile import define
from tradewind.plan.dags.definition import Definition

CACHED, CACHED_BYTES = 256, 4 * 2**20
"""Definitions in memory, and the total bytes of their specs; in memory they take some fifteen times as much. Runs of the same revision
share one."""
NUMBERED, OF_DAG = 4_096, 64
"""DAGs whose latest revision numbers are in memory, and how many of each, so that a run can begin without asking for them."""
REVISION_PAGE = 50
"""Revisions read at once: the largest exceed a megabyte."""
ROUGHLY = {"resourceVersion": "0"}
"""Reads from the API server's cache, which is ten times as fast. A number that turns out to be taken is replaced."""
MANAGED = {"app.kubernetes.io/managed-by": "tradewind"}
CAUSE = "tradewind.dev/change-cause"
"""Annotation of a DAG that says why it was changed; the revision copies it."""
ROLLBACK = "rollback to "
"""Start of a rollback's cause. A rollback restores a revision and makes none. If the annotation is still there at the next edit, it is not
that edit's cause."""
K = TypeVar("K")
V = TypeVar("V")


class Revision(NamedTuple):
    """The name and number of a revision."""

    name: str
    number: int


def local_revision(name: str, local: str) -> str:
    """The name of a local DAG's revision, in the revision of that name."""
    return f"{name}.{local}"


def whole(revision: str) -> str:
    """The revision that holds this one, which may be that of a local DAG."""
    return revision.partition(".")[0]


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
    """`<dag>-<hash>`: equal specs have the same revision. If `spec` was rendered from another `source`, the hash covers both."""
    hashed = spec if source is None else {"spec": spec, "source": source}
    digest = hashlib.sha256(orjson.dumps(hashed, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]
    return f"{dag}-{digest}"


def lasting(spec: Any) -> Any:
    """A spec without `suspend`: suspending and resuming a DAG makes no revision."""
    return {key: value for key, value in spec.items() if key != "suspend"} if isinstance(spec, dict) else spec


def content(spec: Any, source: Any = None) -> tuple[Any, Any]:
    """What a revision of `spec` holds: the spec, and the spec as written (None if that is the same)."""
    spec, source = lasting(spec), lasting(source)
    return spec, None if source == spec else source


def written(revision: Object) -> Any:
    """The spec in a revision as its author wrote it."""
    data = revision.get("data") or {}
    return data.get("source") or data.get("spec")


def change_cause(dag: Object) -> str:
    """The reason for a change of a DAG, if it has one."""
    cause = str((dag["metadata"].get("annotations") or {}).get(CAUSE) or "")
    return "" if cause.startswith(ROLLBACK) else cause


class Revisions:
    """Stores and finds revisions. They have no owner: a run continues when its DAG is deleted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._definitions: OrderedDict[Key, tuple[Definition, int]] = OrderedDict()
        self._bytes = 0
        """Total bytes of the specs."""
        self._numbers: OrderedDict[Key, OrderedDict[str, int]] = OrderedDict()
        """By DAG: revision numbers by name."""
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def bind(
        self, namespace: str, dag: str, spec: Any, definition: Definition, *, source: Any = None, cause: str = ""
    ) -> Revision:
        """As `record`, and keeps the definition in memory for the run that begins with it."""
        revision = await self.record(namespace, dag, spec, source=source, cause=cause)
        self._remember((namespace, revision.name), definition, spec)
        return revision

    async def record(self, namespace: str, dag: str, spec: Any, *, source: Any = None, cause: str = "") -> Revision:
        """The revision of `spec`, which must be valid; created if it does not exist. `source` is the spec as written if `spec` was rendered
        from it."""
        spec, source = content(spec, source)
        name = revision_name(dag, spec, source)
        number = self._known(namespace, dag, name)
        if number is None:
            async with self.lock(namespace, dag):
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
        """The definition that a run is bound to. Raises NotFound if someone deleted the revision."""
        name, _, local = name.partition(".")
        definition = await self._load((namespace, name))
        if not local:
            return definition
        if local not in definition.local:
            raise NotFound(404, "NotFound", f"revision {name} has no local DAG {local}")
        return definition.local[local]

    async def _load(self, key: Key) -> Definition:
        if known := self._definitions.get(key):
            self._definitions.move_to_end(key)
            return known[0]
        found = await self._client.get(REVISIONS, *key)
        definition = define(found["data"]["spec"])
        self._remember(key, definition, found["data"]["spec"])
        return definition

    def _remember(self, key: Key, definition: Definition, spec: Any) -> None:
        """Keeps a definition in memory, in place of the least recently used ones."""
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
        """The definition of a spec without templates, if it is in memory."""
        known = self._definitions.get((namespace, revision_name(dag, spec)))
        return known[0] if known else None

    async def get(self, namespace: str, dag: str, name: str) -> Revision:
        """A revision of a DAG by its name. Raises NotFound."""
        stored = name.partition(".")[0]
        number = self._known(namespace, home(dag), stored)
        if number is None and (number := await self._find((namespace, stored))) is None:
            raise NotFound(404, "NotFound", f"there is no revision {name}")
        return Revision(name, number)

    def lock(self, namespace: str, dag: str) -> asyncio.Lock:
        """The lock to hold while revisions of a DAG are made or deleted."""
        key = (namespace, dag)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def forget(self, namespace: str, dag: str, names: Iterable[str] | None = None) -> None:
        """Drops the numbers of revisions that may be deleted (None: all of the DAG's), so that they are read again when needed. Call it for
        names while holding `lock`, so that no older answer is kept."""
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
        """Creates a revision with the number after its DAG's latest."""
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
        return await self._make_unique(dag, body, head)

    async def _make_unique(self, dag: str, body: Object, head: Head) -> int:
        """Makes the number of the revision just written as `body` unique, and returns it. If two operators chose the same number for two
        specs, the later write sees the earlier one and takes another."""
        while True:
            meta = head.metadata
            heads = await self.heads(
                meta.namespace, dag, resourceVersion=meta.resource_version, resourceVersionMatch="NotOlderThan"
            )
            if not any(other.revision == head.revision and _earlier(other, head) for other in heads):
                return head.revision
            # No patch: for a patch, a real server re-encodes the content and treats it as changed.
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
