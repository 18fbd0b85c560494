"""The timeout of a sensor ends it, whatever its server answers and whatever a poll raises."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tradewind.control.egress.client import Answer
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.probes import Asking, HttpProbe
from tradewind.control.sensors.sensor_tasks import _Sensing
from tradewind.model.bounded import OutOfBounds
from tradewind.model.sensor import HttpPoll, TaskSensor
from tradewind.plan.cel.compiler import ExpressionError

from control.egress.test_isolation_of_requests import request


@dataclass
class Heard:
    """Records the calls of a listener."""

    said: list[tuple[str, str]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)

    def say(self, reason: str, message: str) -> None:
        self.said.append((reason, message))

    def end(self, reason: str, message: str, outputs: dict[str, Any]) -> None:
        self.ended.append((reason, message))


class Broken:
    host = what = "GET http://x/"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def ask(self) -> dict[str, Any]:
        raise self.error

    def outputs(self, found: Any) -> dict[str, Any]:
        return {}


def sensing(probe: Any, heard: Heard, clock: Callable[[], float]) -> _Sensing:
    sensor = TaskSensor(http=HttpPoll(url="http://x/"), timeout="20s")
    return _Sensing(sensor, probe, lambda *_: False, 0, heard, clock, "seed")


ERRORS = [
    ProbeFailedError("no answer"),
    ExpressionError("x", "no value"),
    OutOfBounds("body", "is nested too deeply"),
    RecursionError("maximum recursion depth exceeded"),
    OverflowError("too large"),
    ValueError("bad port"),
    MemoryError(),
    KeyError("kind"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_poll_that_raises_is_told_asked_again_and_ended_in_time(error: Exception) -> None:
    heard = Heard()
    assert 0 < (await sensing(Broken(error), heard, lambda: 15.0).ask() or 0) <= 5
    assert [reason for reason, _ in heard.said] == ["SensorError"] and "it is polled again" in heard.said[0][1]
    assert await sensing(Broken(error), heard, lambda: 20.0).ask() is None
    assert [reason for reason, _ in heard.ended] == ["SensorTimeout"]


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"n": 100000000000000000000}', b"[" * 300 + b"]" * 300])
async def test_an_answer_that_nobody_can_read_is_a_failed_poll(body: bytes) -> None:
    class Server:
        async def answer(self, *_: Any) -> Answer:
            return Answer(200, body, "")

    heard = Heard()
    probe = HttpProbe(Server(), Server(), EgressPolicy(), request("http://x/"), Asking("a", {}, []))  # type: ignore[arg-type]
    await sensing(probe, heard, lambda: 1.0).ask()
    assert heard.said[0][0] == "SensorError" and heard.said[0][1].startswith("body")
    assert await sensing(probe, heard, lambda: 21.0).ask() is None
    assert heard.ended[0][0] == "SensorTimeout"


def test_what_waits_for_its_turn_says_so_and_ends_in_time() -> None:
    heard = Heard()
    asking = sensing(Broken(ValueError()), heard, lambda: 5.0)
    assert asking.left() == 15
    asking.busy()
    asking.too_late()
    assert heard.said[0][0] == "RequestsBusy" and "waits for its turn to ask for GET http://x/" in heard.said[0][1]
    assert heard.ended == [
        ("SensorTimeout", "nothing was found within 20s; the last poll: it had no turn to ask again")
    ]
