"""A trigger's sensor on the real reconciler, with an API server in memory: restarts, faults before and after writes,
feeds that repeat themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.sensors.poller import Poll
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.source import Source
from tradewind.control.triggers.sources.sensor import SensorSource
from tradewind.kube.errors import Forbidden, Invalid
from tradewind.kube.resources import RUNS, TRIGGERS

from control.triggerworld import Operator, Server, server

PAGE = 3


@dataclass
class Feed:
    """Things in order; returns a page of those after the known ones."""

    things: int = 0
    host: str = "feed"
    what: str = "GET feed"
    after: str = ""

    def probe(self, sensor: Any, asking: Any, renderer: Any) -> "Feed":
        self.after = renderer.plain("url", sensor.http.url).partition("?after=")[2]
        return self

    def server(self, url: str, namespace: str) -> str:
        return self.host

    async def ask(self) -> dict[str, Any]:
        first = max(0, int(self.after or 0) - 1)  # the last one is repeated
        page = list(range(first, min(self.things, first + PAGE)))
        return {"status": 200, "body": {"page": page, "next": str(page[-1] + 1) if page else self.after}}


@dataclass
class HandPoller:
    """Polls when a test tells it to."""

    polls: dict[Any, Poll] = field(default_factory=dict)

    def put(self, key: Any, poll: Poll, delay: float) -> None:
        self.polls[key] = poll

    def drop(self, key: Any) -> None:
        self.polls.pop(key, None)

    async def poll(self) -> None:
        for key, poll in list(self.polls.items()):
            if await poll.ask() is None:
                self.drop(key)


@dataclass
class Tasks:
    poller: HandPoller
    probes: Feed
    host: Host


class SensorOperator(Operator):
    def __init__(self, server: Server, feed: Feed) -> None:
        self.poller, self.feed = HandPoller(), feed
        super().__init__(server)

    def sources(self, own: TriggerReconciler) -> Mapping[str, Source]:
        tasks: Any = Tasks(self.poller, self.feed, Host(Evaluator()))
        clock = lambda: self.server.now  # noqa: E731
        return {"sensor": SensorSource(tasks, own.wake, clock)}


def world(**spec: Any) -> Server:
    made = server(0.0, "unused", every="1h")
    sensor = {
        "http": {"url": "https://feed/?after=$[[ cursor ]]"},
        "items": "body.page",
        "key": "item",
        "cursor": "body.next",
    }
    made.put(TRIGGERS, {"metadata": {"name": "t"}, "spec": {"dag": "d", "sensor": sensor, **spec}})
    return made


steps = st.lists(
    st.sampled_from(["grow", "poll", "look", "save", "restart", "fault before", "fault after"]), max_size=40
)


@settings(deadline=None, max_examples=200)
@given(steps)
async def test_every_thing_gets_one_run_whatever_happens(history: list[str]) -> None:
    made, feed = world(), Feed()
    operator = SensorOperator(made, feed)
    for step in history:
        match step:
            case "grow":
                feed.things += 2
            case "poll":
                await operator.poller.poll()
            case "look":
                await operator.look("t")
            case "save":
                await operator.save("t")
            case "restart":
                operator = SensorOperator(made, feed)
            case _:
                made.faults.append(step.removeprefix("fault "))
    made.faults.clear()
    for _ in range(feed.things + 2):
        await operator.look("t")
        await operator.poller.poll()
    await operator.look("t")
    await operator.save("t")
    assert len(made.log) == len(set(made.log)) == feed.things
    status = made.objects["triggers", "t"].get("status") or {}
    assert status["phase"] == "Active" and status["sensor"].get("cursor", "") == (
        str(feed.things) if feed.things else ""
    )


async def rounds(operator: SensorOperator, count: int = 2) -> dict[str, Any]:
    for _ in range(count):
        await operator.look("t")
        await operator.poller.poll()
    await operator.look("t")
    await operator.save("t")
    return dict(operator.server.objects["triggers", "t"]["status"])


async def test_what_when_refuses_gets_no_run_and_is_looked_at_again() -> None:
    made, feed = world(when="item % 2 == 1"), Feed(3)
    status = await rounds(SensorOperator(made, feed))
    assert len(made.log) == 1 and len(status["sensor"]["keys"]) == 1


async def test_what_cannot_be_computed_is_told_and_holds_nothing_up() -> None:
    made, feed = world(when="6 / (item - 1) != 0"), Feed(3)
    status = await rounds(SensorOperator(made, feed), 1)
    assert len(made.log) == 2
    assert status["phase"] == "Waiting" and status["message"].startswith("`6 / (item - 1) != 0`: spec.when: ")


async def test_a_suspended_trigger_does_not_ask() -> None:
    made, feed = world(suspend=True), Feed(3)
    operator = SensorOperator(made, feed)
    await rounds(operator)
    assert not operator.poller.polls and not made.log


async def test_the_runs_are_named_after_the_keys() -> None:
    made, feed = world(), Feed(2)
    await rounds(SensorOperator(made, feed))
    names, made.log[:] = list(made.log), []
    for name in names:
        del made.objects[RUNS.plural, name]
    del made.objects["triggers", "t"]["status"]
    await rounds(SensorOperator(made, feed))
    assert made.log == names, "the same keys give the same names"


class Refuses(Server):
    """A server that refuses the second run a given number of times."""

    error: Exception
    times = 1
    asked = 0

    async def create(self, resource: Any, namespace: str, body: Any, **query: str) -> bytes:
        self.asked += resource is RUNS
        if resource is RUNS and self.asked >= 2 and self.times:
            self.times -= 1
            raise self.error
        return await super().create(resource, namespace, body, **query)


async def refused(error: Exception) -> tuple[SensorOperator, dict[str, Any]]:
    plain = world()
    made = Refuses(plain.now, plain.objects)
    made.error = error
    operator = SensorOperator(made, Feed(3))
    return operator, await rounds(operator, 1)


async def test_a_run_that_is_invalid_is_told_and_holds_nothing_up() -> None:
    operator, status = await refused(Invalid(422, "Invalid", "spec.params.n: not a number"))
    assert len(operator.server.log) == 2
    assert status["phase"] == "Waiting" and status["message"] == "spec.params.n: not a number"
    assert status["sensor"]["cursor"] == "3"


async def test_runs_that_may_not_be_made_now_are_made_later() -> None:
    operator, status = await refused(Forbidden(403, "Forbidden", "exceeded quota"))
    assert len(operator.server.log) == 1
    assert (
        status["phase"] == "Waiting"
        and status["message"] == "exceeded quota"
        and not status.get("sensor", {}).get("cursor")
    )
    await operator.look("t")
    await operator.save("t")
    status = operator.server.objects["triggers", "t"]["status"]
    assert len(operator.server.log) == 3 and status["phase"] == "Active" and status["sensor"]["cursor"] == "3"
