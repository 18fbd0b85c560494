"""A run for a terminal: a headline, and a line per task."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.output.terminal import Text, Unpadded
from tradewind.control.dagrun.run import Run
from tradewind.look.run_rows import Row, flat
from tradewind.look.unclaimed import unclaimed
from tradewind.model import duration
from tradewind.model.shown import counted
from tradewind.plan.outcomes.state import State

LOOKS = {
    State.SUCCEEDED: ("✔", "green"),
    State.FAILED: ("✘", "red"),
    State.LOST: ("✘", "red"),
    State.UPSTREAM_FAILED: ("⊘", "red"),
    State.SKIPPED: ("↷", "dim"),
    State.CANCELLED: ("⊘", "yellow"),
    State.RUNNING: ("●", "cyan"),
    State.PENDING: ("○", "cyan"),
    State.READY: ("○", "cyan"),
    State.WAITING: ("…", "yellow"),
    State.BLOCKED: ("·", "dim"),
}
PHASES = {"Succeeded": "green", "Failed": "red", "Cancelled": "yellow", "Running": "cyan"}


def drawn(run: Run, found: Sequence[Row], limit: int = 60) -> RenderableType:
    """The run for a terminal. If it has more than `limit` tasks, those that matter now are shown."""
    found = list(flat(found))
    shown = found if len(found) <= limit else _telling(found, limit)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for row in shown:
        sign, style = LOOKS[row.state]
        tries = f"attempt {row.live.metadata.labels.get('tradewind.dev/attempt')}" if row.live and row.attempts else ""
        tries = tries or (f"{len(row.attempts)} attempts" if len(row.attempts) > 1 else "")
        table.add_row(
            Text(f"{sign} {row.task}{f' {row.item}' if row.item else ''}", style=style),
            Text(str(row.state), style=style),
            Text("" if row.seconds is None else duration.text(row.seconds)),
            Text(tries, style="dim"),
            Text(row.message.splitlines()[0] if row.message else "", style="dim", overflow="fold"),
        )
    hidden = len(found) - len(shown)
    parts: list[RenderableType] = [headline(run), Unpadded(table)]
    if hidden:
        parts.append(Text(f"and {counted(hidden, 'more task')}", style="dim"))
    return Group(*parts)


def _telling(found: Sequence[Row], limit: int) -> list[Row]:
    order = [State.FAILED, State.LOST, State.RUNNING, State.PENDING, State.WAITING, State.READY, State.UPSTREAM_FAILED]
    ranked = sorted(found, key=lambda row: order.index(row.state) if row.state in order else len(order))
    return ranked[:limit]


def headline(run: Run) -> RenderableType:
    """One line about the run."""
    phase = run.phase or "Queued"
    text = Text.assemble(
        (run.name, "bold"), "  ", (phase, PHASES.get(phase, "")), f"  {run.status.get('progress') or ''}"
    )
    if run.desired == "Suspended" and not run.final:
        text.append("  suspended", style="yellow")
        text.append(f": nothing more starts until `tradewind resume {run.name}`", style="dim")
    lasted = run.status.get("duration") if run.final else None
    if lasted:
        text.append(f"  {lasted}")
    if message := run.status.get("message") or unclaimed(run):
        text.append(f"  {message}", style="dim")
    return text
