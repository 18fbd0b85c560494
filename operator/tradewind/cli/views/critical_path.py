"""The critical path of a run, as a table."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.output.terminal import Text
from tradewind.control.dagrun.run import Run
from tradewind.model import duration
from tradewind.model.shown import counted
from tradewind.plan.runs.critical_path import Step

SHOWN = 40
"""Steps that are shown; if there are more, the longest."""


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
