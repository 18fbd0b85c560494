"""The output of a run's tasks, including the runs below it, read from their pods."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import click

from tradewind.cli.views.log_label import label
from tradewind.control.dagrun.attempt_log import decode
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import Revisions
from tradewind.control.pods.labels import attempt_of
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Invalid, NotFound
from tradewind.kube.labels import ITEM, RUN_UID, TASK
from tradewind.kube.pod import Pod, parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.reading import StatusUnreadable, reading
from tradewind.look.run_tree import called_by, calls
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid as InvalidDAG
from tradewind.plan.outcomes.attempt import STOPPED, parse_key

INTERVAL = 0.5
"""Seconds between two searches for new pods."""
_STEP = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\[[0-9]{1,9}\])?")
Show = Callable[[str, Sequence[str]], None]
"""Called with the label of the lines and the lines."""


@dataclass(frozen=True, slots=True)
class Log:
    """The log of an attempt. `task` is as in `flat`: `sub/inner`."""

    pod: Pod
    task: str
    number: int
    order: tuple[int, ...] = ()
    """Position of the task in the DAG, and of the item in the task."""

    @property
    def started(self) -> float:
        """When its container started, otherwise when the pod was created (whole epoch seconds)."""
        main = self.pod.main()
        state = (main.running or main.terminated) if main else None
        at = (state.started_at if state else None) or self.pod.metadata.creation_timestamp
        return at.timestamp() if at else 0.0


def steps_of(task: str) -> list[str]:
    """`sub/inner[3]` as ["sub", "inner[3]"]. Raises ClickException."""
    steps = task.split("/")
    for step in steps:
        if not _STEP.fullmatch(step):
            words = "write TASK, TASK[INDEX] for an item, or TASK/INNER for a task of the DAG that TASK runs"
            raise click.ClickException(f"{task!r} is not the name of a task: {words}")
    return steps


def _order(definition: Definition | None, task: str) -> tuple[int, int]:
    name, index = parse_key(task)
    order = definition.graph.order if definition else ()
    return (order.index(name) if name in order else len(order), index or 0)


@dataclass
class PodLogs:
    """The logs of one run. `task` limits them to one task, or item, and what is below it."""

    client: Client
    namespace: str
    task: str = ""
    tail: int | None = None
    revisions: Revisions = field(init=False)
    printed: int = 0
    """Attempts whose log was shown."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Stopped tasks and items, as in `flat`, with the reasons: their pods were deleted."""

    def __post_init__(self) -> None:
        self.revisions = Revisions(self.client)

    async def print_current(self, name: str, show: Show) -> None:
        """Shows the current logs. Raises ClickException."""
        found = [log async for log in self._logs(read_run(await self.client.get(RUNS, self.namespace, name)))]
        several = len({log.task for log in found}) > 1 or not self.task
        numbers = {log.task: max(other.number for other in found if other.task == log.task) for log in found}
        for log in found:
            again = numbers[log.task] > 1
            await self._print(log, label(log.task, log.number, again) if several or again else "", show, False)

    async def follow(self, name: str, show: Show) -> None:
        """Shows new output until the run has ended. Raises ClickException."""
        printing: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                began = time.monotonic()
                run = read_run(await self.client.get(RUNS, self.namespace, name))
                async for log in self._logs(run):
                    if log.pod.metadata.name not in printing:
                        first = self.task and log.number == 1 and log.task == self.task
                        work = self._print(log, "" if first else label(log.task, log.number), show, True)
                        printing[log.pod.metadata.name] = asyncio.create_task(work)
                if run.final:
                    break
                await asyncio.sleep(max(INTERVAL, 4 * (time.monotonic() - began)))
            await asyncio.gather(*printing.values())
        finally:
            for task in printing.values():
                task.cancel()

    async def _logs(self, top: Run) -> AsyncIterator[Log]:
        """The logs of all attempts that have begun, by start time; those of the same second in the DAG's order."""
        found = [log async for log in self._below(top, "", steps_of(self.task) if self.task else [])]
        for log in sorted(found, key=lambda log: (log.started, log.order, log.number)):
            yield log

    async def _below(self, run: Run, above: str, steps: list[str], before: tuple[int, ...] = ()) -> AsyncIterator[Log]:
        definition = await self._definition(run)
        name, index = parse_key(steps[0]) if steps else ("", None)
        if steps and definition and name not in definition.tasks:
            there = ", ".join(list(definition.tasks)[:20])
            raise click.ClickException(f"there is no task {name!r} in run {run.name}; there are: {there}")
        if len(steps) < 2:
            selector = f"{RUN_UID}={run.uid}" + (f",{TASK}={name}" if name else "")
            selector += f",{ITEM}={index}" if index is not None else ""
            self._note_stopped(run, above, name, index, definition)
            pods = parse_list(await self.client.list_raw(PODS, self.namespace, labelSelector=selector)).items
            for pod in pods:
                task, number = attempt_of(pod.metadata.labels)
                if pod.status.phase != "Pending":
                    yield Log(pod, f"{above}{task}", number, (*before, *_order(definition, task)))
        if calls(definition):
            for part in await called_by(self.client, self.namespace, [run.uid]):
                if (caller := part.caller) and (
                    not steps or caller.task == steps[0] or parse_key(caller.task)[0] == steps[0]
                ):
                    at = (*before, *_order(definition, caller.task))
                    again = f"#{caller.number}" if caller.number > 1 else ""
                    async for log in self._below(part, f"{above}{caller.task}{again}/", steps[1:], at):
                        yield log

    def _note_stopped(self, run: Run, above: str, task: str, index: int | None, definition: Definition | None) -> None:
        with contextlib.suppress(StatusUnreadable), reading(f"dagrun/{run.name}"):
            for attempt in decode(run.packed, run.created).attempts:
                name, item = parse_key(attempt.task)
                podless = definition is not None and name in definition.tasks and definition.tasks[name].podless
                asked = task in ("", name) and index in (None, item)
                if attempt.reason in STOPPED and asked and not podless:
                    self.stopped[f"{above}{attempt.task}"] = attempt.reason

    async def _definition(self, run: Run) -> Definition | None:
        try:
            if revision := run.status.get("revision"):
                with reading(f"dagrun/{run.name}"):
                    return await self.revisions.load(self.namespace, revision)
        except (StatusUnreadable, NotFound, InvalidDAG):
            pass
        return None

    async def _print(self, log: Log, before: str, show: Show, follow: bool) -> None:
        query = {"tailLines": str(self.tail)} if self.tail is not None else {}
        options = {**query, "follow": "true"} if follow else query
        self.printed += 1
        try:
            async for line in self.client.logs(self.namespace, log.pod.metadata.name, **options):
                if line or not before:
                    show(before, [line.decode(errors="replace")])
        except (NotFound, Invalid):
            self.printed -= 1
        except ApiError as error:
            show(before, [f"(the log can't be read: {error.message})"])
