"""Bugs planted on purpose: a checker that misses them proves nothing. Each is a plausible, well-meant change."""

import contextlib
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest import mock

import msgspec
from tradewind.control.dagrun import deadlines, state
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.task_states import TaskEnds
from tradewind.control.dags import start_values
from tradewind.control.dags.previous_tasks import PreviousTasks
from tradewind.control.dags.start_values import StartValues
from tradewind.control.egress import client
from tradewind.control.execution.run_feed import RunFeed
from tradewind.control.execution.run_start import RunStarter
from tradewind.control.execution.status_writer import RunStatusWriter
from tradewind.control.podless import sub_dags
from tradewind.control.pods import launcher, observation, tracker
from tradewind.control.pools.book import PoolBook
from tradewind.control.sensors import sensor_tasks
from tradewind.control.triggers import reconciler as triggers
from tradewind.control.triggers.run_maker import Fired
from tradewind.control.triggers.sources import schedule
from tradewind.kube.errors import Unavailable
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.cel import compiler, programs
from tradewind.plan.expressions.literal import OPEN
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.retention import runs as history
from tradewind.plan.runs import gate, retry, rework
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.task_ledger import TaskLedger

from .expectation import expected
from .scenario import DURING_WRITES, Scenario

Plant = Callable[[], AbstractContextManager[object]]
PLANTS: dict[str, Plant] = {"": contextlib.nullcontext}
"""By description; the empty name is for none."""
Reach = Callable[[Scenario], bool]
REACH: dict[str, Reach] = {}
"""The scenarios in which a bug can show at all; others need not be played to find it."""


NEAR: dict[str, int] = {}
"""The seed at which the search for a rare bug starts: it was found soon after."""


def plant(
    what: str, reach: Reach = lambda scenario: True, near: int = 0
) -> Callable[[Callable[[], Iterator[None]]], None]:
    """Registers a bug."""

    def named(bug: Callable[[], Iterator[None]]) -> None:
        PLANTS[what], REACH[what], NEAR[what] = contextlib.contextmanager(bug), reach, near

    return named


def _with(*kinds: str) -> Reach:
    """Scenarios in which one of these things goes wrong."""
    return lambda scenario: any(trouble.kind in kinds for trouble in scenario.troubles)


def _does(what: str) -> Reach:
    """Scenarios in which a task does this."""
    return lambda scenario: any(task.does == what for task in scenario.tasks.values())


def _instead(of: Any, name: str, new: Any) -> Any:
    return mock.patch.object(of, name, new)


def _fires_once() -> Any:
    """An occasion counts as processed although its run could not be created."""
    fired = triggers.fire

    async def fire(*facts: Any) -> Any:
        try:
            return await fired(*facts)
        except Unavailable:
            return Fired("", "filtered")

    return _instead(triggers, "fire", fire)


@plant("pods have names that chance makes")
def chance_names() -> Iterator[None]:
    first, both = launcher.pod_name, launcher.both_names

    def chance(name: str) -> str:
        return f"{name}-{random.getrandbits(24):x}"

    with (
        _instead(launcher, "pod_name", lambda *parts: chance(first(*parts))),
        _instead(launcher, "both_names", lambda *parts: [chance(name) for name in both(*parts)]),
        _instead(state, "consistent", lambda *said: True),
    ):
        yield


@plant("a pod that was deleted is the task's own failure")
def loss_is_failure() -> Iterator[None]:
    failure = observation._failure

    def failed(pod: Any, terminated: Any) -> tuple[str, str]:
        reason, words = failure(pod, terminated)
        return ("Error", words) if reason == "PodDeleted" else (reason, words)

    with _instead(observation, "_failure", failed):
        yield


@plant("a pod that is to be deleted counts as ended", near=430)
def deleting_is_ended() -> Iterator[None]:
    watched = PodInformer.put

    def put(self: PodInformer, pod: Any) -> None:
        watched(self, msgspec.structs.replace(pod, gone=True) if pod.metadata.deletion_timestamp else pod)

    with _instead(PodInformer, "put", put):
        yield


@plant("what a list misses is thought to be there still")
def missing_is_there() -> Iterator[None]:
    with _instead(PodInformer, "end_list", lambda self, namespace, version: None):
        yield


@plant("a pod is gone when the watch says so", _with("labels taken off a pod"))
def said_is_gone() -> Iterator[None]:
    def missed(self: PodInformer, pod: Any) -> None:
        self.put(msgspec.structs.replace(pod, gone=True))

    with _instead(PodInformer, "_mark_missing", missed):
        yield


@plant("a create without an answer is taken for done")
def no_answer_is_done() -> Iterator[None]:
    launched = launcher.PodLauncher.launch

    async def launch_once(self: Any, start: Any, planner: Any, woken_at: Any) -> Any:
        try:
            return await launched(self, start, planner, woken_at)
        except Unavailable as error:
            return launcher._refused(start, "PodDeleted", str(error))

    with _instead(launcher.PodLauncher, "launch", launch_once):
        yield


@plant("a status that could not be written is not written again")
def lost_statuses() -> Iterator[None]:
    saved = RunStatusWriter.save

    async def save(self: Any, *what: Any) -> None:
        with contextlib.suppress(Unavailable):
            await saved(self, *what)

    with _instead(RunStatusWriter, "save", save):
        yield


@plant("one dependency that has ended is enough")
def one_is_enough() -> Iterator[None]:
    decided = gate.decide

    def decide(rule: str, counts: Any) -> Any:
        verdict = decided(rule, counts)
        return gate.Verdict.RUN if verdict is None and counts.succeeded else verdict

    with _instead(gate, "decide", decide):
        yield


@plant(
    "maps have the order of whoever goes over them",
    lambda scenario: any(task.keyed and task.items > 1 and task.does == "pod" for task in scenario.tasks.values()),
)
def any_order() -> Iterator[None]:
    with _instead(programs, "settled", lambda tree: b""), _instead(compiler, "programs", compiler.programs.fresh()):
        yield


@plant("timers are forgotten")
def no_timers() -> Iterator[None]:
    with _instead(WorkQueue, "add_at", lambda self, key, at: None):
        yield


@plant("every exit code is a success")
def all_succeed() -> Iterator[None]:
    observed = tracker.observe

    def see(*facts: Any, **more: Any) -> Any:
        found = observed(*facts, **more)
        if isinstance(found, observation.Ended) and found.attempt.reason == "Error":
            return replace(found, attempt=replace(found.attempt, reason="", exit_code=None))
        return found

    with _instead(tracker, "observe", see):
        yield


@plant("an old event of a run is believed", _with("late run events", "doubled events", "stale lists"), near=680)
def old_events_of_runs() -> Iterator[None]:
    taken = RunFeed.take

    def take(self: Any, run: Any) -> None:
        taken(self, run)
        if known := self._table.states.get(run.uid):
            known.confirm()

    with _instead(RunFeed, "take", take):
        yield


@plant(
    "what has the attempts of the write under way is that write",
    _with(*DURING_WRITES),
    near=250,
)
def own_write() -> Iterator[None]:
    """A user's version of a run was taken for the operator's own write."""
    update = state.RunState.update

    def updated(self: Any, run: Any, pods: Any = ()) -> bool:
        known = self.attempts._saving
        if known is not None and run.packed == known[0]:
            self._desire = lambda planner: None
        try:
            return update(self, run, pods)
        finally:
            self.__dict__.pop("_desire", None)

    with _instead(state.RunState, "update", updated):
        yield


@plant(
    "a tick whose run could not be made has been dealt with", lambda scenario: scenario.maker == "schedule", near=390
)
def lost_ticks() -> Iterator[None]:
    with _fires_once():
        yield


@plant("runs that have begun don't count as active", lambda scenario: scenario.runs > 1)
def forgotten_peers() -> Iterator[None]:
    begins = RunStarter.begin

    async def begin(self: Any, state: Any, peers: Any) -> Any:
        return await begins(self, state, lambda: [peer for peer in peers() if not peer.run.status.get("revision")])

    with _instead(RunStarter, "begin", begin):
        yield


@plant("one run too few is kept", lambda scenario: scenario.kept is not None)
def one_too_few() -> Iterator[None]:
    due = history._due
    with _instead(history, "_due", lambda place, past, rule: due(place + 1, past, rule)):
        yield


@plant("a tick that a run forbids gets one", lambda scenario: scenario.concurrency == "Forbid", near=225)
def forbidden_ticks() -> Iterator[None]:
    decided = schedule.due
    with _instead(schedule, "due", lambda *said: decided(*said[:-1], 0)):
        yield


@plant("whatever a server answers is a success", _does("http"))
def any_answer() -> Iterator[None]:
    with _instead(client, "expected", lambda status, wanted: True):
        yield


@plant("a sensor has found what it waits for when it is answered", _does("sensor"))
def any_is_found() -> Iterator[None]:
    with _instead(sensor_tasks._Sensing, "_holds", lambda self, found: True):
        yield


@plant("what a sensor could not make a run of is not looked for again", lambda scenario: scenario.maker == "sensor")
def passed_by() -> Iterator[None]:
    with _fires_once():
        yield


@plant("a run of a sub-DAG has a name that chance makes", _does("dag"))
def chance_names_of_runs() -> Iterator[None]:
    named = sub_dags.both_names

    def chance(*parts: Any) -> list[str]:
        return [f"{name}-{random.getrandbits(24):x}" for name in named(*parts)]

    with _instead(sub_dags, "both_names", chance):
        yield


@plant("pods of another namespace hold no slots of a ClusterPool", lambda scenario: scenario.neighbour is not None)
def only_ours_hold() -> Iterator[None]:
    counted = PoolBook._count

    def count(self: Any, user: Any, pool: Any, number: int) -> None:
        if user.namespace == "default":
            counted(self, user, pool, number)

    with _instead(PoolBook, "_count", count):
        yield


def _asks_again(scenario: Scenario) -> bool:
    """Whether someone works on runs that have approvals."""
    return scenario.rework is not None and _does("approval")(scenario)


@plant("a decision stays although what it was about is tried again", _asks_again, near=270)
def kept_decisions() -> Iterator[None]:
    with _instead(rework, "_asked_again", lambda planner, approvals, tasks, changes: changes):
        yield


@plant("an approval is requested as soon as its rule allows it, in a retried run too", _asks_again, near=660)
def early_questions() -> Iterator[None]:
    with _instead(gate.Askers, "hold", lambda self, task, key: None):
        yield


@plant("a run that has ended stays as it is, whatever people want", lambda scenario: scenario.rework is not None)
def deaf_ends() -> Iterator[None]:
    with _instead(Run, "retried", property(lambda self: False)):
        yield


@plant("a run does not wait for the run before", lambda scenario: scenario.chained)
def impatient_runs() -> Iterator[None]:
    async def nothing(*_: Any) -> str:
        return ""

    with _instead(StartValues, "wait_reason", nothing):
        yield


@plant("what a run leaves for the next is forgotten", lambda scenario: scenario.chained)
def forgotten_values() -> Iterator[None]:
    with _instead(start_values, "last_success", lambda run, others: None):
        yield


@plant(
    "a DAG that fails fast goes on",
    lambda scenario: scenario.fails_fast and len(scenario.tasks) > 1 and expected(scenario)[1] == "Failed",
    near=225,
)
def goes_on() -> Iterator[None]:
    never = property(lambda self: False, lambda self, value: None)
    with mock.patch.object(Planner, "_doomed", never, create=True):
        yield


@plant(
    "a task does not wait for itself in the run before",
    lambda scenario: any(task.follows for task in scenario.tasks.values()),
)
def impatient_tasks() -> Iterator[None]:
    async def words(self: Any, namespace: str, found: Any, tasks: Any) -> Any:
        return dict.fromkeys(tasks, ""), 30.0

    with _instead(PreviousTasks, "_words", words):
        yield


@plant("delays are those of the back-off", lambda scenario: any(task.pause for task in scenario.tasks.values()))
def one_delay() -> Iterator[None]:
    def wait(retries: Any, last: Any, count: int, seed: str) -> float:
        return retry._backoff(retries.backoff, count, seed)

    with _instead(retry, "_wait", wait):
        yield


@plant(
    "what has ended is not late",
    lambda scenario: any(task.due for task in scenario.tasks.values()),
)
def late_is_forgotten() -> Iterator[None]:
    def ended(planner: Planner, task: str) -> float | None:
        return float("-inf") if planner.ledger.states[task] in FINAL else None

    with _instead(deadlines, "_ended", ended):
        yield


@plant("a pool that a param names is not claimed", lambda scenario: scenario.lanes)
def unclaimed_pools() -> Iterator[None]:
    def pools(self: TaskLedger, task: str) -> Any:
        return tuple(claim for claim in self.definition.tasks[task].pools if OPEN not in claim.name)

    with _instead(TaskLedger, "pools", pools):
        yield


@plant("sensors take a task that has begun for one that has succeeded", lambda scenario: scenario.shown is not None)
def begun_is_over() -> Iterator[None]:
    end = TaskEnds._end

    def begun(self: TaskEnds, known: Any, name: str) -> str:
        return State.SUCCEEDED if known.task(name) is State.RUNNING else end(self, known, name)

    with _instead(TaskEnds, "_end", begun):
        yield
