"""Where waiting time goes now, as tables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.output.terminal import Text
from tradewind.control.dagrun.run import Run
from tradewind.look.waiting.reason import WORK, Cause, Wait
from tradewind.look.waiting.summary import Share, shares, slowest
from tradewind.look.waiting.survey import Surveyed
from tradewind.model import duration
from tradewind.model.shown import brief, counted

SHOWN = 15
"""Runs that are shown."""


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
