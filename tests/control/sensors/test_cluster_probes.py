"""What a sensor reports if the operator may not read."""

import asyncio
from typing import Any

import orjson
import pytest
from tradewind.control.dagrun.task_states import TaskStates
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.cluster_probes import (
    FRESH,
    READINGS_KEPT,
    READINGS_SIZE,
    LatestRuns,
    ObjectProbe,
    Resources,
    RunProbe,
)
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound, Unavailable
from tradewind.model.sensor import ObjectPoll, RunPoll
from tradewind.plan.dags.definition import Definition


class Forbids(Client):
    """An API server that knows Jobs and shows nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def list(self, resource: Any, namespace: str | None = None, **query: str) -> dict[str, Any]:
        if resource.kind == "APIResourceList":
            names = [("jobs/status", True), ("jobs", True)]
            return {"resources": [{"name": name, "kind": "Job", "namespaced": scoped} for name, scoped in names]}
        raise self.error

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        raise self.error

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        raise self.error


async def no_revision(namespace: str, name: str) -> Definition:
    raise NotFound(404, "NotFound", "there is none")


async def said(probe: Any) -> str:
    with pytest.raises(ProbeFailedError) as raised:
        await probe.ask()
    return str(raised.value)


def job(client: Client) -> ObjectProbe:
    poll = ObjectPoll(api_version="batch/v1", kind="Job", name="j")
    return ObjectProbe(client, Resources(client), "ns", poll, "j")


async def test_the_rule_to_add_is_said() -> None:
    client = Forbids(Forbidden(403, "Forbidden", 'jobs.batch "j" is forbidden'))
    assert await said(job(client)) == (
        'jobs.batch "j" is forbidden; add to a role of the operator\'s service account: '
        '{apiGroups: ["batch"], resources: [jobs], verbs: [get]}'
    )
    run = RunProbe(LatestRuns(client), "ns", RunPoll(dag="d"), "", TaskStates(no_revision, lambda uid: None))
    assert '{apiGroups: ["tradewind.dev"], resources: [dagruns], verbs: [list]}' in await said(run)


async def test_an_api_server_that_is_away_is_another_matter() -> None:
    assert await said(job(Forbids(Unavailable(503, "Unavailable", "it is away")))) == "it is away"


class Lists(Client):
    """An API server that has one run of each DAG, and counts the lists."""

    def __init__(self) -> None:
        self.lists = 0

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        self.lists += 1
        await asyncio.sleep(0)
        meta = {"name": "r", "namespace": namespace, "uid": "u", "resourceVersion": str(self.lists)}
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
        return orjson.dumps({"metadata": {}, "items": [{"metadata": meta, "spec": {"dag": "d"}}]})


async def test_sensors_that_ask_for_the_same_runs_share_one_reading() -> None:
    client, now = Lists(), 0.0
    runs = LatestRuns(client, lambda: now)

    async def asked(namespace: str = "ns", **poll: Any) -> int:
        found = await runs.of(namespace, RunPoll(**{"dag": "d", **poll}), None)
        assert found is not None
        return found.run.version

    assert await asyncio.gather(*(asked() for _ in range(100))) == [1] * 100
    now = FRESH
    assert await asked() == 1
    now += 0.1
    assert await asked() == 2
    assert [await asked("other"), await asked(dag="e"), await asked(labels={"a": "b"})] == [3, 4, 5]
    for number in range(2 * READINGS_KEPT):
        await asked(dag=f"d{number}")
    assert len(runs._read) == READINGS_KEPT
    now += 2 * FRESH
    await asked()
    assert len(runs._read) == 1


class Large(Client):
    """An API server with large runs, which notes how many lists are read at once and how long the event loop is held."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        runs = []
        for number in range(8):
            meta = {"name": f"r{number}", "namespace": namespace, "uid": f"u{number}", "resourceVersion": "1"}
            meta["creationTimestamp"] = f"2026-01-01T00:00:0{number}Z"
            status = {"phase": "Succeeded", "results": {"n": number}, "outputs": {"a": {"x": [[]] * 20_000}}}
            runs.append({"metadata": meta, "spec": {"dag": "d"}, "status": status})
        return orjson.dumps({"metadata": {}, "items": runs})


async def test_readings_of_a_namespace_take_turns_and_keep_little() -> None:
    client = Large()
    runs = LatestRuns(client, lambda: 0.0)
    polls = [RunPoll(dag="d", labels={f"k{number}": "x"}) for number in range(16)]
    found = await asyncio.gather(*(runs.of("ns", poll, None) for poll in polls))
    assert client.most == 1
    assert [(last.run.name, last.run.status["results"]) for last in found if last] == [("r7", {"n": 7})] * 16
    assert all("outputs" not in last.run.status for last in found if last)
    await asyncio.gather(runs.of("a", polls[0], None), runs.of("b", polls[0], None))
    assert client.most == 2, "other namespaces don't wait"


async def test_what_is_kept_of_large_runs_is_bounded() -> None:
    runs = LatestRuns(Large(), lambda: 0.0)
    for number in range(400):
        await runs.of("ns", RunPoll(dag=f"d{number}"), None)
        assert runs._size <= READINGS_SIZE and runs._size == sum(
            len(known.raw) for _, known in runs._read.values() if known
        )
