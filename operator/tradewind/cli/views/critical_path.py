"""The critical path of a run, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.output.terminal import Text
from tradewind.cli.waiting.task_waits import began_at
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.model import duration
from tradewind.model.shown import counted
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.critical_path import Step, critical_path

SHOWN = 40
"""Steps that are shown; if there are more, the longest."""


def path_of(view: RunState, now: float) -> list[Step]:
    """The path so far: active tasks count as if they ended now (epoch seconds)."""
    planner = view.planner
    assert planner is not None  # noqa: S101 - the picture of a run that has begun
    attempts: dict[str, list[Attempt]] = dict(view.attempts.ended)
    for (key, number), pod in view.pods.unsaved.items():
        unit, main = planner.ledger.units.get(key), pod.main()
        if unit is None or unit.state is not State.RUNNING or not main or not main.running:
            continue
        if began := main.running.started_at:
            start = int(began.timestamp())
            attempts[key] = [*attempts.get(key, []), Attempt(key, number, start, max(start, int(now)))]
    return critical_path(planner.definition, attempts, began_at(view.run), planner.ledger.states)


def drawn_path(path: Sequence[Step], run: Run) -> RenderableType:
    """The path as a table with a title."""
    total = sum(step.seconds for step in path)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("TASK")
    for head in ("WAITED", "RETRIED", "RAN", "SHARE"):
        table.add_column(head, justify="right")
    longest = sorted(range(len(path)), key=lambda place: -path[place].seconds)[:SHOWN]
    for place in sorted(longest):
        step = path[place]
        table.add_row(
            Text(step.task), *(_shown(item) for item in (step.waited, step.retried, step.ran)), _share(step, total)
        )
    parts: list[RenderableType] = [
        Text.assemble(
            ("Critical path", "bold"),
            f": {duration.text(total)} from the run's {'first ' if run.status.get('reopenedAt') else ''}beginning to {'the last end' if run.final else 'now'}",
            " (timestamps are whole seconds)",
        ),
        table,
    ]
    if len(path) > SHOWN:
        parts.append(Text(f"and {counted(len(path) - SHOWN, 'shorter step')}: see -o json", style="dim"))
    return Group(*parts)


def _shown(seconds: int) -> str:
    return duration.text(seconds) if seconds else "-"


def _share(step: Step, total: int) -> str:
    return f"{100 * step.seconds / total:.0f}%" if total else "-"


def path_data(path: Sequence[Step]) -> list[dict[str, Any]]:
    """The path for programs: seconds, and each step's share of the total."""
    total = sum(step.seconds for step in path)
    return [
        {
            "task": step.task,
            "waited": step.waited,
            "retried": step.retried,
            "ran": step.ran,
            "share": round(step.seconds / total, 4) if total else None,
        }
        for step in path
    ]
