"""With a recorder, runs are deleted when they are on record, or when too many of them wait, or for too long."""

from typing import Any

import pytest
from tradewind.control.dagrun.run import Run
from tradewind.control.retention.recorded import FRESH, Recorded, RecorderOptions
from tradewind.control.retention.runs import HistoryReconciler
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from tradewind.kube.resources import CONFIG_MAPS, Resource
from tradewind.model.duration import stamp
from tradewind.plan.retention.watermark import NOTHING, Unrecorded, Watermark, data

NOW = 1_000_000


class Server(Client):
    """Has the watermark, and records deletions."""

    def __init__(self, runs: int = 0) -> None:
        super().__init__(Connection("http://nowhere"))
        self.logs = 0
        self.runs, self.gone, self.asked = runs, list[str](), list[tuple[Resource, str, str]]()
        self.error: ApiError | None = None

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        self.asked.append((resource, namespace, name))
        if self.error:
            raise self.error
        meta = {"uid": "u", "resourceVersion": "900"}
        return {"metadata": meta, "data": data(Watermark(self.runs, self.logs), "u", "cluster", "")}

    async def delete(self, resource: Resource, namespace: str, name: str, *_: Any, **options: Any) -> dict[str, Any]:
        self.gone.append(name)
        return {}


class Events(EventRecorder):
    def __init__(self) -> None:
        self.posted: list[tuple[Any, ...]] = []

    def post(self, *args: Any, **more: Any) -> None:
        self.posted.append(args)


def history(client: Client, recorded: Recorded | None, events: Events | None = None) -> HistoryReconciler:
    found = HistoryReconciler(
        client, lambda *run: False, lambda uid: False, lambda run, tell: tell(run), lambda: NOW, recorded, events
    )
    spec = {"history": {"succeeded": {"limit": 0}}}
    found.dag_seen({"metadata": {"namespace": "ns", "name": "d", "uid": "dag-uid"}, "spec": spec}, False)
    for version in (10, 20, 30):
        status = {"phase": "Succeeded", "finishedAt": stamp(NOW - 100 + version)}
        found.run_seen(Run(f"r{version}", "ns", "u", version, 1, 0, False, "d", {}, "Running", status))
    return found


async def test_without_a_recorder_nothing_is_asked_and_all_go() -> None:
    server = Server()
    await history(server, None).reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20", "r30"] and server.asked == []


async def test_runs_go_up_to_the_watermark_and_the_others_when_they_are_recorded() -> None:
    server, time = Server(20), [0.0]
    reconciler = history(server, Recorded(server, RecorderOptions("tw"), lambda: time[0]))
    await reconciler.reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20"] and server.asked == [(CONFIG_MAPS, "tw", "tradewind-recorder")]
    server.runs = 30
    await reconciler.reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20"], "a watermark is read again only after a moment"
    time[0] += FRESH
    await reconciler.reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20", "r30"]


@pytest.mark.parametrize("error", [NotFound, Forbidden, Unavailable])
async def test_while_the_watermark_can_t_be_read_all_wait(error: type[ApiError]) -> None:
    server = Server(900)
    server.error = error(0, "x", "no")
    recorded = Recorded(server, RecorderOptions("tw"))
    await history(server, recorded).reconcile(("ns", "d"))
    assert server.gone == [] and await recorded.mark() == NOTHING


async def test_what_exceeds_the_limits_is_deleted_with_an_event() -> None:
    server, events = Server(), Events()
    recorded = Recorded(server, RecorderOptions("tw", limits=Unrecorded(runs=1)))
    await history(server, recorded, events).reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20"]
    ((kind, namespace, name, uid, reason, words),) = events.posted
    assert (kind, namespace, name, uid, reason) == ("DAG", "ns", "d", "dag-uid", "DeletedUnrecorded")
    assert "r10 first" in words


async def test_where_logs_are_collected_runs_wait_for_these_too() -> None:
    server = Server(900 - 1)
    server.logs = 20
    reconciler = history(server, Recorded(server, RecorderOptions("tw", logs=True)))
    await reconciler.reconcile(("ns", "d"))
    assert server.gone == ["r10", "r20"]
