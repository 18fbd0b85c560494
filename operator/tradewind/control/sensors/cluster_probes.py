"""Reads objects of the API server, for sensors: runs of another DAG, or an object of any kind."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import orjson

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.task_states import TaskStates, TasksUnreadable
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, BadName, Forbidden, Garbled, NotFound
from tradewind.kube.pages import items
from tradewind.kube.resources import REVISIONS, RUNS, Resource
from tradewind.kube.struct import Struct
from tradewind.model.bounded import checked
from tradewind.model.duration import instant
from tradewind.model.sensor import ObjectPoll, RunPoll
from tradewind.plan.triggers.object_change import public

MOST_RUNS = 500
"""Runs of a DAG that are considered; its history keeps fewer."""
RUNS_PAGE = 100
FRESH, READINGS_KEPT, READINGS_SIZE = 1.0, 64, 8 * 2**20
"""Seconds for which a reading of runs may be used, how many are kept meanwhile, and the bytes of their runs."""
Query = tuple[str, str, tuple[tuple[str, str], ...], float | None]
"""Namespace, DAG, labels and logical date of runs."""
API = "the API server"
"""The host of all these polls."""


class _Spec(Struct, frozen=True):
    dag: str = ""
    logical_date: str | None = None
    only: list[str] = []
    until: list[str] = []


class _Status(Struct, frozen=True):
    phase: str = ""
    revision: str = ""
    results: msgspec.Raw = msgspec.Raw(b"{}")


class _Meta(Struct, frozen=True):
    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: str


class _Item(Struct, frozen=True):
    """What is read of each run: the rest, which can be a megabyte, is skipped."""

    metadata: _Meta
    spec: _Spec
    status: _Status = _Status()


_parse = msgspec.json.Decoder(_Item).decode


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest run: of its status, `run` has the phase, the revision and the results."""

    run: Run
    raw: bytes
    """All of it."""

    @classmethod
    def of(cls, raw: bytes) -> "Latest":
        """The run without what is large. Raises Garbled."""
        try:
            item = _parse(raw)
        except msgspec.MsgspecError as error:
            raise Garbled(f"a run that can't be read: {error}") from None
        meta = {field: getattr(item.metadata, field) for field in ("name", "namespace", "uid")}
        meta |= {
            "resourceVersion": item.metadata.resource_version,
            "creationTimestamp": item.metadata.creation_timestamp,
        }
        spec = {"dag": item.spec.dag, "only": item.spec.only, "until": item.spec.until}
        if item.spec.logical_date is not None:
            spec["logicalDate"] = item.spec.logical_date
        status = {"phase": item.status.phase, "revision": item.status.revision}
        return cls(read_run({"metadata": meta, "spec": spec, "status": status}), raw)

    def with_results(self) -> "Latest":
        """The same, with the results."""
        results = orjson.loads(bytes(_parse(self.raw).status.results))
        return replace(self, run=replace(self.run, status={**self.run.status, "results": results}))

    @property
    def order(self) -> tuple[int, str]:
        """Of runs, that with the greatest is the latest."""
        return self.run.created, self.run.name


class LatestRuns:
    """Reads the latest runs of DAGs. Sensors that ask the same at the same time share one reading, which may have ended FRESH seconds
    before; others of the same namespace take turns. Thousands of them would otherwise read hundreds of large runs each, at once."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._read: OrderedDict[Query, tuple[float, Latest | None]] = OrderedDict()
        """When each reading ended, and what it found; the oldest first."""
        self._size = 0
        self._locks: WeakValueDictionary[Query, asyncio.Lock] = WeakValueDictionary()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of(self, namespace: str, poll: RunPoll, moment: float | None) -> Latest | None:
        """The run created last, among those with the logical date `moment` (epoch seconds) or all. Raises errors of the API."""
        query, asked = (namespace, poll.dag, tuple(sorted(poll.labels.items())), moment), self._clock()
        async with self._locks.setdefault(query, asyncio.Lock()):
            if (known := self._read.get(query)) and known[0] >= asked - FRESH:
                return known[1]
            async with self._turns.setdefault(namespace, asyncio.Lock()):
                found = await self._latest(query)
            self._keep(query, found)
            return found

    def _keep(self, query: Query, found: Latest | None) -> None:
        self._forget(query)
        self._read[query] = self._clock(), found
        self._size += len(found.raw) if found else 0
        while (
            len(self._read) > READINGS_KEPT
            or (self._size > READINGS_SIZE and len(self._read) > 1)
            or next(iter(self._read.values()))[0] < self._clock() - FRESH
        ):
            self._forget(next(iter(self._read)))

    def _forget(self, query: Query) -> None:
        if (known := self._read.pop(query, None)) and known[1]:
            self._size -= len(known[1].raw)

    async def _latest(self, query: Query) -> Latest | None:
        """Holds two runs in memory at a time."""
        namespace, dag, labels, moment = query
        selectors = {"fieldSelector": f"spec.dag={dag}"}
        if labels:
            selectors["labelSelector"] = ",".join(f"{name}={value}" for name, value in labels)
        last: Latest | None = None
        looked = 0
        async for item in items(self._client, RUNS, namespace, RUNS_PAGE, **selectors):
            found = Latest.of(bytes(item))
            if not found.run.partial and (moment is None or abs(found.run.moment - moment) < 1e-3):
                last = found if last is None else max(last, found, key=lambda each: each.order)
            looked += 1
            if looked == MOST_RUNS:
                break
            await asyncio.sleep(0)  # A run of a megabyte takes some milliseconds.
        return last.with_results() if last else None


class RunProbe:
    """Finds a run of a DAG, and how a task of it has ended. `date` is its logical date, or empty."""

    host = API

    def __init__(self, runs: LatestRuns, namespace: str, poll: RunPoll, date: str, states: TaskStates) -> None:
        self._runs, self._namespace, self._poll, self._date = runs, namespace, poll, date
        self._states = states
        self._ended: tuple[str, int, str] = ("", 0, "")
        """Uid and version of the ended run that was read last, and how the task ended."""
        of_task = f"task {poll.task} of " if poll.task else ""
        self.what = f"{of_task}a run of DAG {poll.dag}" + (f" with logical date {date}" if date else "")

    async def ask(self) -> Mapping[str, Any]:
        """`phase`, `name` and `results` of the latest run of all tasks, and `state` of the task, if one is named. Raises
        ProbeFailedError."""
        try:
            last = await self._runs.of(self._namespace, self._poll, instant(self._date) if self._date else None)
        except ValueError as error:
            raise ProbeFailedError(f"sensor.run.logicalDate: {error}") from None
        except ApiError as error:
            raise ProbeFailedError(refusal(error, RUNS, "list")) from None
        found = {"phase": "", "name": "", "results": {}}
        if last is not None:
            found = {"phase": last.run.phase, "name": last.run.name, "results": last.run.status["results"]}
        if self._poll.task:
            found["state"] = await self._state(last, self._poll.task) if last else ""
        return found

    async def _state(self, last: Latest, task: str) -> str:
        """How a task of a run has ended; empty before."""
        run = last.run
        if self._ended[:2] == (run.uid, run.version):
            return self._ended[2]
        try:
            ends = self._states.remembered(run.uid, run.version)
            if ends is None:
                ends = await self._states.read(read_run(orjson.loads(last.raw)) if run.final else run)
            state = ends.of(task)
        except TasksUnreadable as error:
            raise ProbeFailedError(str(error)) from None
        except ApiError as error:
            raise ProbeFailedError(refusal(error, REVISIONS, "get")) from None
        if run.final:
            self._ended = (run.uid, run.version, state)
        return state

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """All of `found`."""
        return dict(found)


class Resources:
    """The resources of kinds, discovered from the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Resource] = {}

    async def of(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises ProbeFailedError if it does not exist, and errors of the API."""
        if (known := self._known.get((api_version, kind))) is not None:
            return known
        group, _, version = api_version.rpartition("/")
        try:
            listing = Resource(f"/apis/{group}" if group else "/api", version, "APIResourceList", namespaced=False)
            found = (await self._client.list(listing)).get("resources") or []
        except NotFound:
            found = []
        for item in found:
            if item["kind"] == kind and "/" not in item["name"]:
                made = Resource(f"{listing.prefix}/{version}", item["name"], kind, bool(item["namespaced"]))
                return self._known.setdefault((api_version, kind), made)
        raise ProbeFailedError(f"the API server has no kind {kind} in {api_version}: see `kubectl api-resources`")


class ObjectProbe:
    """Reads an object."""

    host = API

    def __init__(self, client: Client, resources: Resources, namespace: str, poll: ObjectPoll, name: str) -> None:
        self._client, self._resources, self._namespace = client, resources, namespace
        self._poll, self._name = poll, name
        self.what = f"{poll.kind} {name}"

    async def ask(self) -> Mapping[str, Any]:
        """`found`, and `object`, which is None if it does not exist. Raises ProbeFailedError and OutOfBounds."""
        poll = self._poll
        try:
            resource = await self._resources.of(poll.api_version, poll.kind)
        except ApiError as error:
            raise ProbeFailedError(error.message) from None
        try:
            found = await self._client.get(resource, self._namespace, self._name)
        except BadName as error:
            raise ProbeFailedError(f"sensor.object.name: {error.message}") from None
        except NotFound:
            return {"found": False, "object": None}
        except ApiError as error:
            raise ProbeFailedError(refusal(error, resource, "get")) from None
        return {"found": True, "object": checked(public(found), name="object")}

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The object's identity and its status."""
        body = found["object"] or {}
        meta = body.get("metadata") or {}
        identity = {name: meta[name] for name in ("name", "uid", "generation", "resourceVersion") if name in meta}
        return {"found": found["found"], "object": {"metadata": identity, "status": body.get("status") or {}}}


def refusal(error: ApiError, resource: Resource, verb: str) -> str:
    """An error of the API in words; for a missing right, with the rule to add."""
    if not isinstance(error, Forbidden):
        return error.message
    group = resource.api_version.rpartition("/")[0]
    rule = f'{{apiGroups: ["{group}"], resources: [{resource.plural}], verbs: [{verb}]}}'
    return f"{error.message}; add to a role of the operator's service account: {rule}"
