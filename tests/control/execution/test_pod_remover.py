"""Pods that a DAG does not keep are deleted when their logs are stored, where logs are collected."""

from types import SimpleNamespace
from typing import Any

import pytest
from tradewind.control.dagrun.run import Run
from tradewind.control.execution.pod_remover import LOG_PATIENCE, PodRemover
from tradewind.control.retention.recorded import Recorded, RecorderOptions
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.pod import Metadata, Pod, PodStatus
from tradewind.kube.resources import Resource
from tradewind.model.duration import stamp
from tradewind.plan.retention.watermark import Watermark, data

NOW = 1_000_000.0


class Server(Client):
    def __init__(self, logs: int) -> None:
        super().__init__(Connection("http://nowhere"))
        self.logs, self.gone = logs, list[str]()

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        return {"metadata": {"uid": "u", "resourceVersion": "900"}, "data": data(Watermark(0, self.logs), "u", "", "")}

    async def delete(self, resource: Resource, namespace: str, name: str, *_: Any, **options: Any) -> dict[str, Any]:
        self.gone.append(name)
        return {}


async def cleaned(server: Server, options: RecorderOptions | None, retention: str, ended: float = NOW) -> bool:
    pods = {
        name: Pod(Metadata(name, "ns", name, str(version), {}), status=PodStatus("Succeeded"))
        for name, version in (("a", 10), ("b", 20))
    }
    kept: Any = SimpleNamespace(of=lambda *_: pods)

    async def load(*_: Any) -> Any:
        return SimpleNamespace(spec=SimpleNamespace(pod_retention=retention))

    revisions: Any = SimpleNamespace(load=load)
    status = {"phase": "Succeeded", "finishedAt": stamp(ended)}
    state: Any = SimpleNamespace(run=Run("r", "ns", "u", 1, 1, 0, False, "d", {}, "Running", status))
    recorded = Recorded(server, options) if options else None
    return await PodRemover(server, revisions, kept, recorded, lambda: NOW).clean(state)


@pytest.mark.parametrize(
    ("logs", "retention", "gone"),
    [(9, "Never", []), (19, "Never", []), (20, "Never", ["a", "b"]), (20, "Always", []), (0, "Always", [])],
)
async def test_pods_go_when_all_their_logs_are_stored(logs: int, retention: str, gone: list[str]) -> None:
    server = Server(logs)
    done = await cleaned(server, RecorderOptions("tw", logs=True), retention)
    assert server.gone == gone and done is (bool(gone) or retention == "Always")


async def test_no_pod_waits_longer_than_ten_minutes_past_the_end() -> None:
    server = Server(0)
    assert not await cleaned(server, RecorderOptions("tw", logs=True), "Never", NOW - LOG_PATIENCE + 1)
    assert await cleaned(server, RecorderOptions("tw", logs=True), "Never", NOW - LOG_PATIENCE)
    assert server.gone == ["a", "b"]


@pytest.mark.parametrize("options", [None, RecorderOptions("tw")])
async def test_where_no_logs_are_collected_no_pod_waits(options: RecorderOptions | None) -> None:
    server = Server(0)
    assert await cleaned(server, options, "OnFailure") and server.gone == ["a", "b"]
