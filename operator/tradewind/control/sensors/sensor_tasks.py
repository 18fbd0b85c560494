"""Tasks that are sensors: polled until their condition holds or their timeout expires."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tradewind import metrics
from tradewind.control.dagrun.task_states import TaskStates
from tradewind.control.egress.client import HttpClient
from tradewind.control.egress.header_variables import texts, wanted
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.evaluation.host import Host
from tradewind.control.pods.rendering import Renderer
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.poller import Poll, Poller
from tradewind.control.sensors.probes import BUSY, Asking, Found, Probe, Probes
from tradewind.kube.client import Client
from tradewind.model.bounded import OutOfBounds
from tradewind.model.duration import seconds
from tradewind.model.sensor import TaskSensor
from tradewind.model.task import Task
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.outcomes.attempt import SOFT
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner
from tradewind.plan.sensors.sensor import Evaluate, pause, share, until

log = logging.getLogger(__name__)
WAITS, ERROR, QUEUED = "Sensor", "SensorError", "RequestsBusy"
"""Reasons for a waiting sensor: its condition does not hold yet, polls fail, or it waits for its turn."""
LAST = 2.0
"""Minimum seconds for the last poll."""
SPREAD = 30.0
"""Seconds over which the first polls of attempts that began earlier are spread."""


class Listener(Protocol):
    """Receives reports about an attempt."""

    def say(self, reason: str, message: str) -> None:
        """Reports what the attempt waits for."""

    def end(self, reason: str, message: str, outputs: dict[str, Any]) -> None:
        """Reports the attempt's end; an empty reason means success."""


class SensorTasks:
    """Starts sensors."""

    def __init__(
        self,
        client: Client,
        sender: HttpClient,
        egress: EgressPolicy,
        host: Host,
        states: TaskStates,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.poller, self.probes = Poller(), Probes(client, sender, egress, states)
        self._clock = clock

    def begin(
        self, uid: str, planner: Planner, start: Start, task: Task, since: int, renderer: Renderer, listener: Listener
    ) -> str:
        """Begins an attempt whose time counts from `since` (epoch seconds). Returns what it waits for, in words. Raises Unrenderable."""
        sensor = task.sensor
        assert sensor is not None  # noqa: S101 - the caller checked
        asking = Asking(planner.ledger.run.namespace, texts(planner, task, renderer), wanted(planner, task))
        probe = self.probes.probe(sensor, asking, renderer)
        judge = planner.ledger.judge(start.key, start.number)
        sensing = _Sensing(sensor, probe, judge, since, listener, self._clock, f"{uid}/{start.key}/{start.number}")
        begun = self._clock() - since > SPREAD  # An operator that has just started has many of these.
        delay = share(sensing.seed) * min(seconds(sensor.interval), SPREAD) if begun else 0.0
        namespace = planner.ledger.run.namespace

        async def ask() -> float | None:
            return await self.host.run(namespace, sensing.ask())

        poll = Poll(sensor.kind, probe.host, ask, namespace, sensing.left(), sensing.busy, sensing.too_late)
        self.poller.put((uid, start.key), poll, delay)
        return sensing.usual

    def drop(self, uid: str, key: str) -> None:
        """Stops polling."""
        self.poller.drop((uid, key))


@dataclass(slots=True)
class _Sensing:
    """An attempt in progress."""

    sensor: TaskSensor
    probe: Probe
    judge: Evaluate
    since: int
    listener: Listener
    clock: Callable[[], float]
    seed: str
    failures: int = 0
    polls: int = 0

    @property
    def usual(self) -> str:
        """What it waits for."""
        return (
            f"waits until `{until(self.sensor)[:300]}` holds for {self.probe.what}, asked every {self.sensor.interval}"
        )

    async def ask(self) -> float | None:
        """Polls once and returns the seconds until the next poll; None at the end."""
        problem, kind = "", self.sensor.kind
        try:
            async with asyncio.timeout(self._patience()):
                found = await self.probe.ask()
            if self._holds(found):
                metrics.sensor_polls.labels(kind, "found").inc()
                self.listener.end("", "", self.probe.outputs(found))
                return None
            if found.get("status") in BUSY:
                problem = f"{self.probe.what}: answered {found['status']}"
        except (ProbeFailedError, ExpressionError, OutOfBounds) as error:
            problem = str(error)
        except TimeoutError:
            problem = f"{self.probe.what}: no answer before the time was over"
        except Exception as error:  # Whatever it is, the timeout continues.
            log.exception("a poll of %s", self.probe.what)
            problem = f"the operator could not ask {self.probe.what}: {type(error).__name__}: {error}"
        self.polls += 1
        self.failures = self.failures + 1 if problem else 0
        metrics.sensor_polls.labels(kind, "error" if problem else "nothing").inc()
        wait = pause(self.sensor, self.failures, f"{self.seed}/{self.polls}")
        left = self.left()
        if left is not None:
            if left <= 0:
                self._give_up(problem)
                return None
            wait = min(wait, left)
        self.listener.say(ERROR if problem else WAITS, f"{problem}; it is polled again" if problem else self.usual)
        return wait

    def left(self) -> float | None:
        """Seconds left of its timeout; None without one."""
        return self.since + seconds(self.sensor.timeout) - self.clock() if self.sensor.timeout else None

    def _patience(self) -> float | None:
        """Seconds that a poll may take: what is left, but enough for one poll after the operator was down."""
        left = self.left()
        return None if left is None else max(left, LAST)

    def busy(self) -> None:
        """Reports that it has waited for its turn for a while."""
        words = "the limit of concurrent polls of this namespace, or of its server, is reached"
        self.listener.say(QUEUED, f"waits for its turn to ask for {self.probe.what}: {words}")

    def too_late(self) -> None:
        """Ends the attempt, whose timeout expired before it got its turn."""
        self._give_up("it had no turn to ask again")

    def _holds(self, found: Found) -> bool:
        holds = self.judge(until(self.sensor), found)
        if not isinstance(holds, bool):
            raise ExpressionError(self.sensor.until, "sensor.until: gives neither true nor false")
        return holds

    def _give_up(self, problem: str) -> None:
        words = f"nothing was found within {self.sensor.timeout}"
        reason = SOFT if self.sensor.soft_fail else "SensorTimeout"
        self.listener.end(reason, f"{words}; the last poll: {problem}" if problem else words, {})
