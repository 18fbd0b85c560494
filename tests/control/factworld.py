"""An API server in memory with runs that end in several namespaces, and an operator whose triggers follow them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.run_facts import ConsumedFacts
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.control.triggers.source import Source
from tradewind.control.triggers.sources.asset_update import AssetSource
from tradewind.control.triggers.sources.completed_run import CompletedRunSource
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS, Resource
from tradewind.local.apiserver.patch import merge_patch
from tradewind.model.duration import stamp

Body = dict[str, Any]
START = 1_764_000_000
"""The second at which the world begins."""


@dataclass
class Server(Client):
    """Objects by resource, namespace and name. `faults` are used one per write: `before` its effect, `after` it, or
    none."""

    now: float = START
    objects: dict[tuple[str, str, str], Body] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    version: int = 0

    def put(self, resource: Resource, body: Body, namespace: str = "ns") -> Body:
        """Stores an object, new or changed."""
        self.version += 1
        meta = body["metadata"]
        meta |= {"namespace": meta.get("namespace", namespace), "resourceVersion": str(self.version)}
        meta.setdefault("uid", f"uid-{self.version}")
        meta.setdefault("creationTimestamp", stamp(self.now))
        meta.setdefault("generation", 1)
        self.objects[resource.plural, meta["namespace"], meta["name"]] = body
        return body

    def trigger(self, name: str = "t", **spec: Any) -> Body:
        """Creates a trigger of DAG `d`."""
        return self.put(TRIGGERS, {"metadata": {"name": name}, "spec": {"dag": "d", **spec}})

    def ended(self, dag: str, name: str, phase: str = "Succeeded", namespace: str = "ns", **status: Any) -> Body:
        """Ends a run, new or known, now."""
        before = self.objects.get((RUNS.plural, namespace, name))
        meta = dict(before["metadata"]) if before else {"name": name}
        told = {"phase": phase, "finishedAt": stamp(self.now), "startedAt": stamp(self.now), **status}
        return self.put(RUNS, {"metadata": meta, "spec": {"dag": dag}, "status": told}, namespace)

    def produced(self, run: str, asset: str, partition: str = "", dag: str = "a", **metadata: Any) -> Body:
        """A run, new or known, whose task `load` has produced a new version of an asset."""
        body = self.objects.get((RUNS.plural, "ns", run)) or {"metadata": {"name": run}, "spec": {"dag": dag}}
        status = body.setdefault("status", {"phase": "Running"})
        update = {"name": asset, "task": "load", "at": stamp(self.now)}
        update |= {"partition": partition} if partition else {}
        status["produced"] = [*status.get("produced", ()), update | ({"metadata": metadata} if metadata else {})]
        return self.put(RUNS, body)

    def made(self, trigger: str = "t") -> dict[str, Body]:
        """The runs that a trigger created, by name, in order."""
        labels = {"tradewind.dev/trigger": trigger}
        return {
            name: body
            for (plural, _, name), body in self.objects.items()
            if plural == RUNS.plural and labels.items() <= body["metadata"].get("labels", {}).items()
        }

    def causes(self, trigger: str = "t") -> list[str]:
        """The causes of those runs."""
        return [body["metadata"]["annotations"][CAUSE] for body in self.made(trigger).values()]

    def status(self, trigger: str = "t") -> Body:
        """The status of a trigger."""
        return dict(self.objects[TRIGGERS.plural, "ns", trigger].get("status") or {})

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        try:
            return self.objects[resource.plural, namespace, name]
        except KeyError:
            raise NotFound(404, "NotFound", name) from None

    async def list_raw(self, resource: Resource, namespace: str | None, **query: str) -> bytes:
        _, _, dag = query.get("fieldSelector", "").partition("=")
        found = [
            body
            for (plural, where, _), body in self.objects.items()
            if plural == resource.plural and namespace in (None, where) and dag in ("", body["spec"].get("dag"))
        ]
        return orjson.dumps({"metadata": {"resourceVersion": str(self.version)}, "items": found})

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        fault = self._fault()
        if resource is RUNS:
            if (resource.plural, namespace, body["metadata"]["name"]) in self.objects:
                raise AlreadyExists(409, "AlreadyExists", body["metadata"]["name"])
            self.put(resource, body, namespace)
            self._late(fault)
        return orjson.dumps(body)

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, body: Body, subresource: str = "", **query: str
    ) -> Body:
        fault = self._fault()
        found = self.objects[resource.plural, str(namespace), name]
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted not in (None, found["metadata"]["resourceVersion"]):
            raise Conflict(409, "Conflict", name)
        found["status"] = merge_patch(found.get("status") or {}, body["status"])
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
    """The triggers of an operator that has just started. It owns the namespaces for which `owns` is true."""

    server: Server
    owns: Callable[[str], bool] = lambda _: True
    watches: Callable[[str], bool] = lambda _: True

    def __post_init__(self) -> None:
        clock = lambda: self.server.now  # noqa: E731
        self.triggers = TriggerReconciler(
            self.server, EventRecorder(self.server, clock), self.sources, self._made, clock
        )
        for (plural, _, _), body in self.server.objects.items():
            if plural == TRIGGERS.plural:
                self.trigger_seen(body)

    def _made(self, run: Run) -> None:
        self.triggers.run_seen(run)

    def sources(self, own: TriggerReconciler) -> Mapping[str, Source]:
        """The sources that it has."""
        clock = lambda: self.server.now  # noqa: E731
        self.facts = ConsumedFacts(self.server, own.followers)
        return {
            "completed": CompletedRunSource(self.server, self.facts, own.dags, self.watches, clock),
            "assets": AssetSource(self.server, self.facts, clock),
        }

    def trigger_seen(self, body: Body) -> None:
        """An event of the watch of triggers."""
        seen = self.triggers.seen if self.owns(body["metadata"]["namespace"]) else self.triggers.others_seen
        seen(orjson.loads(orjson.dumps(body)), False)

    def hear(self, body: Mapping[str, Any]) -> None:
        """An event of the watch of runs."""
        self.facts.run_seen(read_run(body))

    def clean(self) -> None:
        """Deletes ended runs as history does if none are kept."""
        for key, body in list(self.server.objects.items()):
            if key[0] == RUNS.plural and self.owns(key[1]) and body.get("status"):
                self.triggers.when_settled(read_run(body), lambda _, key=key: self.server.objects.pop(key, None))

    async def look(self, name: str = "t") -> bool:
        """Runs one pass; returns whether the API server let it finish."""
        try:
            await self.triggers.reconcile(("ns", name))
        except (Unavailable, Conflict):
            return False
        return True

    async def save(self, name: str = "t") -> bool:
        """Writes the status."""
        try:
            await self.triggers.save(("ns", name))
        except (Unavailable, Conflict):
            return False
        return True

    async def settle(self, name: str = "t") -> "Operator":
        """Runs passes until there is nothing left to do."""
        for _ in range(4):
            assert await self.look(name) and await self.save(name)
        return self


def server(**spec: Any) -> Server:
    """A server with the DAGs `a`, `b` and `d`, and a trigger of `d`."""
    made = Server()
    for dag in ("a", "b", "d"):
        made.put(DAGS, {"metadata": {"name": dag}, "spec": {"tasks": {}}})
    made.trigger(**spec)
    return made
