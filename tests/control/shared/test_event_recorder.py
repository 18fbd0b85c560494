"""Events about successes: limited in rate per namespace, so that bursts of runs cost the API server little."""

import asyncio
import logging
from collections import Counter
from typing import Any

import pytest
from tradewind.control.shared import event_recorder
from tradewind.control.shared.event_recorder import BURST, EVENTS_WAITING_LIMIT, EventRecorder
from tradewind.kube.errors import ApiError, Forbidden


class Server:
    """Accepts Events."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.order: list[str] = []

    async def create(self, resource: Any, namespace: str, body: Any) -> None:
        self.taken[f"{namespace} {body['type']}"] += 1
        self.order.append(namespace)


async def sent(sink: EventRecorder, server: Server, count: int) -> None:
    sending = asyncio.create_task(sink.run())
    async with asyncio.timeout(100):
        while server.taken.total() < count:
            await asyncio.sleep(0)
    sending.cancel()


def post(sink: EventRecorder, count: int, namespace: str = "loud", warning: bool = False) -> None:
    for at in range(count):
        sink.post("DAGRun", namespace, f"r{at}", str(at), "RunSucceeded", "", warning=warning)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes."""
    monkeypatch.setattr(event_recorder, "RATE", 0.0)


async def test_a_burst_is_cut_for_its_namespace_only_and_warnings_are_all_sent(still: None) -> None:
    server = Server()
    sink = EventRecorder(server, lambda: 0.0)  # type: ignore[arg-type]
    post(sink, 5 * BURST)
    post(sink, 5 * BURST, warning=True)
    post(sink, 1, "quiet")
    await sent(sink, server, 6 * BURST + 1)
    assert server.taken == {"loud Normal": BURST, "loud Warning": 5 * BURST, "quiet Normal": 1}


async def test_warnings_of_one_namespace_push_out_nobody_elses(still: None) -> None:
    """However many there are, before and after: those of others are sent, and soon."""
    server = Server()
    sink = EventRecorder(server, lambda: 0.0)  # type: ignore[arg-type]
    post(sink, 2 * EVENTS_WAITING_LIMIT, warning=True)
    for namespace in ("quiet", "calm"):
        post(sink, 5, namespace, warning=True)
    post(sink, 2 * EVENTS_WAITING_LIMIT, warning=True)
    await sent(sink, server, EVENTS_WAITING_LIMIT)
    assert server.order[:15] == ["loud", "quiet", "calm"] * 5
    assert server.taken == {"loud Warning": EVENTS_WAITING_LIMIT - 10, "quiet Warning": 5, "calm Warning": 5}


async def test_what_waits_is_bounded_however_many_namespaces_there_are(still: None) -> None:
    server = Server()
    sink = EventRecorder(server, lambda: 0.0)  # type: ignore[arg-type]
    for at in range(EVENTS_WAITING_LIMIT + 10):
        post(sink, 1, f"n{at}", warning=True)
    post(sink, 1, "loud", warning=True)
    await sent(sink, server, EVENTS_WAITING_LIMIT)
    assert server.taken.total() == EVENTS_WAITING_LIMIT and not server.taken["loud Warning"]


async def test_as_time_passes_more_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_recorder, "RATE", 1e9)
    server = Server()
    sink = EventRecorder(server, lambda: 0.0)  # type: ignore[arg-type]
    post(sink, 5 * BURST)
    await sent(sink, server, 5 * BURST)


async def test_namespaces_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch, still: None) -> None:
    monkeypatch.setattr(event_recorder, "NAMESPACES", 10)
    sink = EventRecorder(Server(), lambda: 0.0)  # type: ignore[arg-type]
    for at in range(100):
        post(sink, 1, f"n{at}")
    assert len(sink._rooms) == 10


async def test_a_namespace_that_is_being_deleted_is_logged_once_and_not_as_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It takes no Event of any of its objects."""
    gone = "unable to create new content in namespace gone because it is being terminated"
    errors: dict[str, ApiError] = {
        "gone": Forbidden(403, "Forbidden", gone),
        "shut": Forbidden(403, "Forbidden", "cannot create resource"),
    }

    class Refusing(Server):
        async def create(self, resource: Any, namespace: str, body: Any) -> None:
            await super().create(resource, namespace, body)
            raise errors[namespace]

    server = Refusing()
    sink = EventRecorder(server, lambda: 0.0)  # type: ignore[arg-type]
    post(sink, 5, "gone", warning=True)
    post(sink, 1, "shut", warning=True)
    with caplog.at_level(logging.DEBUG, event_recorder.__name__):
        await sent(sink, server, 6)
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert sorted(told) == [
        ("DEBUG", "namespace gone is being deleted: its Events are not sent"),
        ("WARNING", "Event RunSucceeded of r0: 403 Forbidden: cannot create resource"),
    ]
