"""The operator's events of a run, and its decisions, may be older than the run: it never overwrites newer
changes, and dependents hear that the run is gone."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.template_index import Templates
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.execution.reconciler import RunReconciler
from tradewind.control.pods.launcher import PodLauncher
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.errors import Conflict
from tradewind.kube.labels import HOW, RUN_UID
from tradewind.kube.pod import Owner
from tradewind.kube.resources import DAGS, RUNS, Resource

from control.pod_bodies import pod, terminated
from control.triggerworld import Body, Server


class Api(Server):
    """Calls `while_reading` when a DAG is read, and replaces only the version that is named."""

    while_reading: Callable[[], None] = staticmethod(lambda: None)

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        if resource is DAGS:
            self.while_reading()
        return copy.deepcopy(await super().get(resource, namespace, name))

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        return orjson.dumps(await self.get(resource, namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        return orjson.dumps(self.put(resource, body))

    async def replace(self, resource: Resource, namespace: str, name: str, body: Body, subresource: str = "") -> Body:
        stored = self.objects[resource.plural, name]
        if body["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", name)
        return self.put(resource, {**copy.deepcopy(stored), "status": body["status"]})


class Operated:
    """An operator, and a run as it was when someone had created it."""

    def __init__(self) -> None:
        self.api, self.gone = Api(0.0), list[Run]()
        self.api.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {"a": {"image": "x"}}}})
        self.new = self.api.put(RUNS, {"metadata": {"name": "r", "labels": {HOW: "manual"}}, "spec": {"dag": "d"}})
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


@pytest.fixture
async def operated() -> Operated:
    return Operated()


async def test_a_run_that_has_ended_is_not_begun_by_an_old_list(operated: Operated) -> None:
    old = read_run(copy.deepcopy(operated.new))
    operated.becomes(phase="Succeeded")
    operated.runs.feed.seen(old, False)
    await operated.passes()
    assert operated.phase == "Succeeded"


async def test_nor_when_its_end_is_told_while_its_dag_is_read(operated: Operated) -> None:
    old = read_run(copy.deepcopy(operated.new))
    ended = operated.becomes(phase="Succeeded")
    operated.runs.feed.seen(old, False)
    operated.api.while_reading = lambda: operated.runs.feed.seen(ended, False)
    await operated.passes()
    await operated.passes()
    assert operated.phase == "Succeeded"


async def test_a_run_that_was_deleted_while_nobody_watched_is_told_to_be_gone(operated: Operated) -> None:
    run = operated.becomes(phase="Running")
    operated.runs.feed.seen(run, False)
    del operated.api.objects[RUNS.plural, "r"]
    operated.runs.feed.missing(None, set(), run.version)
    await operated.passes()
    assert [gone.uid for gone in operated.gone] == [run.uid] and operated.runs.table.version(run.uid) == 0


async def test_so_is_one_in_whose_place_there_is_another(operated: Operated) -> None:
    run = operated.becomes(phase="Running")
    operated.runs.feed.seen(run, False)
    again = {"metadata": {"name": "r", "uid": "another", "labels": {HOW: "manual"}}, "spec": {"dag": "d"}}
    other = read_run(copy.deepcopy(operated.api.put(RUNS, again)))
    operated.runs.feed.missing(None, {other.uid}, run.version)
    await operated.passes()
    assert [gone.uid for gone in operated.gone] == [run.uid] and operated.runs.table.version(other.uid) == other.version


@pytest.mark.parametrize("unreadable", [False, True])
async def test_what_pods_say_is_kept_while_their_run_is_not_known(operated: Operated, unreadable: bool) -> None:
    """At the start pods are listed first; and an unreadable status may be fixed."""
    if unreadable:
        operated.runs.feed.seen(operated.becomes(phase="Running"), False)
    over = pod({"phase": "Succeeded"}, terminated=terminated(0))
    uid = operated.new["metadata"]["uid"]
    labels = {**over.metadata.labels, RUN_UID: uid}
    operated.runs.pods.put(
        msgspec.structs.replace(
            over,
            metadata=msgspec.structs.replace(over.metadata, labels=labels, owner_references=[Owner(uid, True, "r")]),
        )
    )
    if unreadable:
        operated.runs.feed.seen(operated.becomes(phase="Running", attempts="garbage"), False)
        assert operated.runs.table.version(uid) == 0
    operated.runs.feed.seen(operated.becomes(phase="Running"), False)
    assert list(operated.runs.pods.of("ns", uid)) == ["r-a-1"] and operated.runs.states[uid].pods.changed == {"r-a-1"}
