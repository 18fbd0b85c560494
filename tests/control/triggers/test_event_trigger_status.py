"""The status of a trigger counts the runs that the endpoint created, whenever the operator sees them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.rate_limit import TRIGGERS_REMEMBERED, Pace
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.source import Source
from tradewind.control.triggers.sources.event import EventSource
from tradewind.kube.resources import DAGS, TRIGGERS, Key
from tradewind.model.duration import stamp

from control.triggerworld import Operator, Server

NOW = 1_000_000.0
EVENT = {"authentication": {"kubernetes": {}}}


def run(name: str, created: int, how: str = "event", **more: Any) -> Run:
    return Run(name, "ns", f"uid-{name}", 1, 1, created, False, "d", {}, "Running", {}, how=how, maker="orders", **more)


class EventOperator(Operator):
    def sources(self, own: TriggerReconciler) -> Mapping[str, Source]:
        self.woken: list[Key] = []
        self.posted = EventSource(self.woken.append)
        return {"event": self.posted}


def operator(server: Server) -> tuple[EventOperator, EventSource]:
    made = EventOperator(server)
    return made, made.posted


async def test_the_latest_run_is_told_and_an_older_one_changes_nothing() -> None:
    server = Server(NOW)
    server.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    server.put(TRIGGERS, {"metadata": {"name": "orders"}, "spec": {"dag": "d", "event": EVENT}})
    made, posted = operator(server)
    for name, created in (("orders-b", 20), ("orders-a", 10), ("orders-b", 20)):
        posted.run_seen(run(name, created))
    posted.run_seen(run("orders-c", 30, how="manual"))
    posted.run_seen(replace(run("c", 30), maker=""))
    posted.run_seen(run("orders-d", 30), deleted=True)
    assert made.woken == [("ns", "orders")]
    assert await made.look("orders") and await made.save("orders")
    status = server.objects[TRIGGERS.plural, "orders"]["status"]
    assert (status["phase"], status["source"], status["lastRun"]) == (
        "Active",
        "event",
        {"name": "orders-b", "at": stamp(20)},
    )
    again, later = operator(server)
    later.run_seen(run("orders-a", 10))
    assert await again.look("orders") and await again.save("orders")
    assert server.objects[TRIGGERS.plural, "orders"]["status"]["lastRun"]["name"] == "orders-b"


async def test_history_waits_until_the_status_tells_of_a_run() -> None:
    server = Server(NOW)
    server.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    server.put(TRIGGERS, {"metadata": {"name": "orders"}, "spec": {"dag": "d", "event": EVENT}})
    made, posted = operator(server)
    ended = run("orders-a", 10)
    posted.run_seen(ended)
    await made.look("orders")
    told: list[Run] = []
    made.triggers.when_settled(ended, told.append)
    assert told == []
    await made.save("orders")
    assert told == [ended]


def test_nothing_is_kept_of_triggers_that_runs_made_up() -> None:
    posted, pace, now = EventSource(lambda key: None), Pace(lambda: now), 0.0
    for number in range(3 * TRIGGERS_REMEMBERED):
        now += 1.0
        made = replace(run("r", int(now)), maker=f"made-up-{number}", name=f"made-up-{number}-a", uid=str(number))
        posted.run_seen(made)
        posted.run_seen(made, deleted=True)
        pace.seen(made)
    assert not posted._last
    assert len(pace._made) <= TRIGGERS_REMEMBERED + 60
