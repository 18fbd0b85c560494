"""An API server in memory and an operator's triggers on it, with a clock that tests set: for properties that need
thousands of histories."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from tradewind.control.dagrun.run import Run
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.source import Source
from tradewind.control.triggers.sources.schedule import ScheduleSource
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, NotFound, Unavailable
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS, Resource
from tradewind.local.apiserver.patch import merge_patch
from tradewind.model.duration import stamp

Body = dict[str, Any]


@dataclass
class Server(Client):
    """Objects by resource and name. `faults` are used one per write: `before` its effect, `after` it, or none."""

    now: float
    objects: dict[tuple[str, str], Body] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    """Names of the created runs, in order."""
    version: int = 0

    def put(self, resource: Resource, body: Body) -> Body:
        self.version += 1
        body["metadata"] |= {"namespace": "ns", "resourceVersion": str(self.version)}
        body["metadata"].setdefault("uid", f"uid-{self.version}")
        body["metadata"].setdefault("creationTimestamp", stamp(self.now))
        body["metadata"].setdefault("generation", 1)
        self.objects[resource.plural, body["metadata"]["name"]] = body
        return body

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        try:
            return self.objects[resource.plural, name]
        except KeyError:
            raise NotFound(404, "NotFound", name) from None

    async def list_raw(self, resource: Resource, namespace: str | None, **query: str) -> bytes:
        found = [body for (plural, _), body in self.objects.items() if plural == resource.plural]
        return orjson.dumps({"metadata": {"resourceVersion": str(self.version)}, "items": found})

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        fault = self._fault()
        if resource is RUNS:
            name = body["metadata"]["name"]
            if (resource.plural, name) in self.objects:
                raise AlreadyExists(409, "AlreadyExists", name)
            self.put(resource, body)
            self.log.append(name)
            self._late(fault)
        return orjson.dumps(body)

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, body: Body, subresource: str = "", **query: str
    ) -> Body:
        fault = self._fault()
        found = self.objects[resource.plural, name]
        for part, value in body.items():
            found[part] = merge_patch(found.get(part) or {}, value)
        self.put(resource, found)
        self._late(fault)
        return orjson.loads(orjson.dumps(found))

    def _fault(self) -> str:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise Unavailable(503, "Unavailable", "before")
        return fault

    def _late(self, fault: str) -> None:
        if fault == "after":
            raise Unavailable(504, "Timeout", "after")


@dataclass
class Operator:
    """The triggers of an operator that has just started."""

    server: Server

    def __post_init__(self) -> None:
        clock = lambda: self.server.now  # noqa: E731
        self.triggers = TriggerReconciler(
            self.server, EventRecorder(self.server, clock), self.sources, self._made, clock
        )
        for (plural, _), body in self.server.objects.items():
            if plural == TRIGGERS.plural:
                self.triggers.seen(orjson.loads(orjson.dumps(body)), False)

    def _made(self, run: Run) -> None:
        self.triggers.run_seen(run)

    def sources(self, own: TriggerReconciler) -> Mapping[str, Source]:
        """The sources that it has."""
        return {"schedule": ScheduleSource(self.server, own.unfinished, lambda: self.server.now)}

    async def look(self, name: str) -> bool:
        """Runs one pass; returns whether the API server let it finish."""
        try:
            await self.triggers.reconcile(("ns", name))
        except Unavailable:
            return False
        return True

    async def save(self, name: str) -> bool:
        """Writes the status."""
        try:
            await self.triggers.save(("ns", name))
        except Unavailable:
            return False
        return True


def server(now: float, name: str, **schedule: Any) -> Server:
    """A server with a DAG and a trigger of it."""
    made = Server(now)
    made.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    made.put(TRIGGERS, {"metadata": {"name": name}, "spec": {"dag": "d", "schedule": schedule}})
    return made
