"""Where waiting time goes now: by cause, and the runs that wait longest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.output.terminal import Text
from tradewind.cli.waiting.reason import WORK, Cause, Wait
from tradewind.cli.waiting.survey import Surveyed
from tradewind.control.dagrun.run import Run
from tradewind.model import duration
from tradewind.model.shown import brief, counted

SHOWN = 15
"""Runs that are shown."""


@dataclass(slots=True)
class Share:
    """All waits for one cause. Seconds cover those whose time is known."""

    cause: Cause
    example: tuple[Run, Wait]
    tasks: int = 0
    longest: float | None = None
    total: float | None = None


def shares(found: Sequence[Surveyed], now: float) -> list[Share]:
    """The waits by cause, in the order of a task's life cycle; the example is the longest wait."""
    by_cause: dict[Cause, Share] = {}
    for item in found:
        for wait in item.waits:
            share = by_cause.setdefault(wait.cause, Share(wait.cause, (item.run, wait)))
            share.tasks += 1
            seconds = wait.seconds(now)
            if seconds is None:
                continue
            share.total = (share.total or 0.0) + seconds
            if share.longest is None or seconds > share.longest:
                share.longest, share.example = seconds, (item.run, wait)
    return [by_cause[cause] for cause in Cause if cause in by_cause]


def slowest(found: Sequence[Surveyed], now: float) -> list[tuple[Run, Wait]]:
    """The longest wait of each run that has one; the longest first."""
    held = []
    for item in found:
        lost = [wait for wait in item.waits if wait.cause not in WORK]
        if lost:
            held.append((item.run, max(lost, key=lambda wait: wait.seconds(now) or 0.0)))
    return sorted(held, key=lambda pair: -(pair[1].seconds(now) or 0.0))


def drawn(found: Sequence[Surveyed], whose: str, place: str, now: float, namespaces: bool) -> RenderableType:
    """The tables for people; one sentence if there are no waits. `whose` and `place` name the scope: ` of DAG d`, `in
    namespace n`."""
    if not found:
        return Text(f"no run{whose} is active {place}")
    parts: list[RenderableType] = [_headline(found, whose, place), Text(), _causes(shares(found, now), now, namespaces)]
    held = slowest(found, now)
    if held:
        parts += [Text(), _runs(held[:SHOWN], now, namespaces)]
    if len(held) > SHOWN:
        parts.append(Text(f"and {counted(len(held) - SHOWN, 'more run')} in which something waits", style="dim"))
    return Group(*parts)


def _headline(found: Sequence[Surveyed], whose: str, place: str) -> Text:
    causes = [wait.cause for item in found for wait in item.waits]
    running, behind = causes.count(Cause.RUNNING), causes.count(Cause.DEPENDENCIES)
    runs = f"1 run{whose} is" if len(found) == 1 else f"{len(found)} runs{whose} are"
    tasks = f"{running} running, {len(causes) - running - behind} blocked, {behind} waiting for dependencies"
    return Text(f"{runs} active {place}; tasks: {tasks}", style="bold")


def _causes(found: Sequence[Share], now: float, namespaces: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("WAITS FOR")
    for head in ("TASKS", "LONGEST", "TOTAL"):
        table.add_column(head, justify="right")
    table.add_column("FOR EXAMPLE", overflow="fold")
    for share in found:
        table.add_row(
            Text(str(share.cause), style="" if share.cause in WORK else "yellow"),
            str(share.tasks),
            _time(share.longest),
            _time(share.total),
            Text(_name(*share.example, namespaces)),
        )
    return table


def _runs(held: Sequence[tuple[Run, Wait]], now: float, namespaces: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("LONGEST WAITS", overflow="fold")
    table.add_column("WAITED", justify="right")
    table.add_column("FOR")
    table.add_column("WHY", overflow="fold")
    for run, wait in held:
        words = wait.words(now).partition("\n")[0]
        table.add_row(
            Text(_name(run, wait, namespaces)),
            _time(wait.seconds(now)),
            Text(str(wait.cause), style="yellow"),
            Text(brief(words, 200)),
        )
    return table


def _name(run: Run, wait: Wait, namespaces: bool) -> str:
    return "/".join([*([run.namespace] if namespaces else []), run.name, *([wait.task] if wait.task else [])])


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else duration.text(round(seconds))


def as_data(found: Sequence[Surveyed], now: float) -> dict[str, Any]:
    """The output for programs: the causes, and each run with its longest wait."""
    longest = {run.uid: wait for run, wait in slowest(found, now)}
    return {
        "causes": [
            {
                "cause": str(share.cause),
                "tasks": share.tasks,
                "longestSeconds": None if share.longest is None else round(share.longest),
                "totalSeconds": None if share.total is None else round(share.total),
                "example": {
                    "namespace": share.example[0].namespace,
                    "run": share.example[0].name,
                    "task": share.example[1].task,
                },
            }
            for share in shares(found, now)
        ],
        "runs": [
            {
                "namespace": item.run.namespace,
                "run": item.run.name,
                "dag": item.run.dag,
                "phase": item.run.phase or "Queued",
                "tasks": {str(share.cause): share.tasks for share in shares([item], now)},
                "longest": _longest(longest.get(item.run.uid), now),
            }
            for item in found
        ],
    }


def _longest(wait: Wait | None, now: float) -> dict[str, Any] | None:
    return None if wait is None else {"task": wait.task, **wait.data(now)}
