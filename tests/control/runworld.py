"""An operator's runs on an API server in memory, one pass at a time: for what happens between two steps of a pass."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import orjson
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.template_index import Templates
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.execution.reconciler import RunReconciler
from tradewind.control.pods.launcher import PodLauncher
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.errors import Conflict
from tradewind.kube.labels import DAG, HOW
from tradewind.kube.resources import DAGS, RUNS, Resource

from control.triggerworld import Body, Server


class Api(Server):
    """Calls `while_reading` when a DAG is read, `before_write` and `after_write` with the new status around the
    replacement of a status, and replaces only the version that is named."""

    while_reading: Callable[[], None] = staticmethod(lambda: None)
    before_write: Callable[[Body], None] = staticmethod(lambda status: None)
    after_write: Callable[[Body], None] = staticmethod(lambda status: None)

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        if resource is DAGS:
            self.while_reading()
        return copy.deepcopy(await super().get(resource, namespace, name))

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        return orjson.dumps(await self.get(resource, namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        return orjson.dumps(self.put(resource, body))

    async def replace(self, resource: Resource, namespace: str, name: str, body: Body, subresource: str = "") -> Body:
        self.before_write(body["status"])
        stored = self.objects[resource.plural, name]
        if body["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", name)
        answer = copy.deepcopy(self.put(resource, {**copy.deepcopy(stored), "status": body["status"]}))
        self.after_write(body["status"])
        return answer


class Operated:
    """An operator, and a run as it was when someone had created it."""

    def __init__(self, **tasks: Body) -> None:
        self.api, self.gone = Api(0.0), list[Run]()
        self.api.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": tasks or {"a": {"image": "x"}}}})
        meta = {"name": "r", "labels": {HOW: "manual", DAG: "d"}}
        self.new = self.api.put(RUNS, {"metadata": meta, "spec": {"dag": "d"}})
        self.runs = RunReconciler(
            self.api,
            Revisions(self.api),
            Templates(self.api),
            PodLauncher(self.api, "image"),
            EventRecorder(self.api, lambda: 0.0),
            self,
            lambda pool: None,
            lambda run, deleted: None,
            lambda run: False,
            Host(Evaluator()),
        )

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        self.gone += [run] if deleted else []

    def becomes(self, **status: Any) -> Run:
        """The run gets a status that nobody has reported yet."""
        body = {**copy.deepcopy(self.new), "status": {"revision": "d-1", **status}}
        return read_run(copy.deepcopy(self.api.put(RUNS, body)))

    async def passes(self) -> None:
        with contextlib.suppress(Conflict):
            await self.runs.reconcile(self.new["metadata"]["uid"])

    @property
    def phase(self) -> str:
        """The stored phase of the run."""
        return str(self.api.objects[RUNS.plural, "r"]["status"]["phase"])
