"""A pod's name can't be changed; its labels and owners can, by anyone who may edit pods. Neither creates a second pod."""

from typing import Any

import orjson
import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.labels import labels, owner
from tradewind.control.pods.launcher import Held, Launched, PodLauncher, Prepared
from tradewind.control.pods.names import both_names
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.labels import ATTEMPT, ITEM, RUN_UID, TASK
from tradewind.kube.pod import parse_pod
from tradewind.kube.resources import PODS
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.decision import RunFacts, Start
from tradewind.plan.runs.planner import Planner

from control.triggerworld import Body, Server

RUN = RunFacts(name="r", namespace="ns", uid="ours", dag="d")
START = Start("a", None, 1, "")
ITEMS = {"image": "x", "forEach": {"range": {"stop": 2}}}
DAG = define({"tasks": {"a": {"image": "x"}, "b": {"image": "x"}, "c": ITEMS, "c-1": {"image": "x"}}})
BOARD = Planner(DAG, RUN)
BOARD.decide(0.0)


class Api(Server):
    """A server that creates whatever is requested, and lists by name."""

    async def create(self, resource: Any, namespace: str, body: Any, **query: str) -> bytes:
        body = orjson.loads(body)
        if (resource.plural, body["metadata"]["name"]) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", body["metadata"]["name"])
        return orjson.dumps(self.put(resource, body))

    async def list_raw(self, resource: Any, namespace: str | None, **query: str) -> bytes:
        name = query["fieldSelector"].partition("=")[2]
        return orjson.dumps({"metadata": {}, "items": [self.objects[resource.plural, name]]})

    def pod(self, name: str, run: RunFacts, start: Start, **changed: str | None) -> Body:
        told = {**labels(run, start), **changed}
        meta = {"name": name, "labels": {key: value for key, value in told.items() if value is not None}}
        return self.put(PODS, {"metadata": {**meta, "ownerReferences": [owner(run)]}})


CHANGES: list[dict[str, str | None]] = [
    {RUN_UID: None},
    {RUN_UID: "another"},
    {TASK: "b"},
    {TASK: None},
    {ATTEMPT: "7"},
    {ATTEMPT: "x"},
    {ITEM: "3"},
    dict.fromkeys((RUN_UID, TASK, ATTEMPT)),
]


async def launch(api: Api, start: Start) -> Any:
    launcher = PodLauncher(api, "")
    prepared = launcher.prepare(start, BOARD)
    assert isinstance(prepared, Prepared)
    return await launcher.launch(prepared, None)


@pytest.mark.parametrize("changed", CHANGES)
async def test_a_pod_whose_labels_were_changed_is_still_that_of_its_attempt(changed: dict[str, str | None]) -> None:
    api = Api(0.0)
    api.pod("r-a-1", RUN, START, **changed)
    launched = await launch(api, START)
    assert isinstance(launched, Launched) and launched.pod.metadata.name == "r-a-1" and launched.found
    assert (
        labels(RUN, START).items() <= launched.pod.metadata.labels.items() and launched.pod.metadata.run_uid == "ours"
    )
    assert len(api.objects) == 1, "and there is no other"


async def test_a_pod_that_lost_its_owner_is_still_that_of_its_attempt() -> None:
    api = Api(0.0)
    api.pod("r-a-1", RUN, START)["metadata"]["ownerReferences"] = []
    launched = await launch(api, START)
    assert isinstance(launched, Launched) and launched.found and launched.pod.metadata.run_uid == "ours"


@pytest.mark.parametrize("of", [Start("c", 1, 1, ""), Start("c-1", None, 1, "")])
async def test_a_pod_of_another_attempt_whose_name_comes_to_the_same_is_left_to_it(of: Start) -> None:
    api = Api(0.0)
    wanted = Start("c-1", None, 1, "") if of.index else Start("c", 1, 1, "")
    api.pod("r-c-1-1", RUN, of)
    launched = await launch(api, wanted)
    assert isinstance(launched, Launched) and launched.pod.metadata.name == both_names(RUN, wanted)[1]


async def test_a_pod_of_a_run_that_had_the_same_name_is_left_to_it() -> None:
    api, before = Api(0.0), RunFacts(name="r", namespace="ns", uid="theirs", dag="d")
    api.pod("r-a-1", before, START)
    launched = await launch(api, START)
    assert isinstance(launched, Launched) and launched.pod.metadata.name == both_names(RUN, START)[1]
    api.pod(both_names(RUN, START)[1], before, START)
    assert isinstance(await launch(api, START), Held)


@pytest.mark.parametrize("changed", CHANGES[2:])
def test_a_run_takes_no_pod_for_an_attempt_whose_name_it_does_not_have(changed: dict[str, str | None]) -> None:
    """An operator that starts after the labels were changed gets the pod by its name."""
    meta = {"name": "r", "namespace": "ns", "uid": "ours", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running"}}))
    pods = {"r-a-1": parse_pod(orjson.dumps(Api(0.0).pod("r-a-1", RUN, START, **changed)))}
    planner = state.bind(DAG, pods, 0.0, 0.0)
    state.absorb(pods, 0.0)
    assert {"a", "b"} <= {start.key for start in planner.decide(0.0).starts} and not state.pods.unsaved
