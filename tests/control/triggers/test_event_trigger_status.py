"""What the status of a trigger says of the runs that the endpoint made, whenever the operator came to see them."""

from dataclasses import replace
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.sources.event import EventSource
from tradewind.kube.resources import DAGS, TRIGGERS
from tradewind.model.duration import stamp

from control.triggerworld import Operator, Server

NOW = 1_000_000.0
EVENT = {"authentication": {"kubernetes": {}}}


def run(name: str, created: int, how: str = "event", **more: Any) -> Run:
    return Run(name, "ns", f"uid-{name}", 1, 1, created, False, "d", {}, "Running", {}, how=how, maker="orders", **more)


def operator(server: Server) -> tuple[Operator, EventSource]:
    made = Operator(server)
    posted = made.triggers.sources["event"] = EventSource()
    return made, posted


async def test_the_latest_run_is_told_and_an_older_one_changes_nothing() -> None:
    server = Server(NOW)
    server.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    server.put(TRIGGERS, {"metadata": {"name": "orders"}, "spec": {"dag": "d", "event": EVENT}})
    made, posted = operator(server)
    seen = [posted.seen(run(name, created)) for name, created in (("orders-b", 20), ("orders-a", 10), ("orders-b", 20))]
    assert seen == [True, False, False]
    assert not posted.seen(run("orders-c", 30, how="manual")) and not posted.seen(replace(run("c", 30), maker=""))
    assert await made.look("orders") and await made.save("orders")
    status = server.objects[TRIGGERS.plural, "orders"]["status"]
    assert (status["phase"], status["source"], status["lastRun"]) == (
        "Active",
        "event",
        {"name": "orders-b", "at": stamp(20)},
    )
    again, later = operator(server)
    later.seen(run("orders-a", 10))
    assert await again.look("orders") and await again.save("orders")
    assert server.objects[TRIGGERS.plural, "orders"]["status"]["lastRun"]["name"] == "orders-b"


async def test_history_waits_until_the_status_tells_of_a_run() -> None:
    server = Server(NOW)
    server.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    server.put(TRIGGERS, {"metadata": {"name": "orders"}, "spec": {"dag": "d", "event": EVENT}})
    made, posted = operator(server)
    ended = run("orders-a", 10)
    posted.seen(ended)
    await made.look("orders")
    told: list[Run] = []
    made.triggers.when_settled(ended, told.append)
    assert told == []
    await made.save("orders")
    assert told == [ended]
