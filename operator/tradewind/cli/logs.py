"""`tradewind logs`: the output of tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tradewind.cli.history.logs import print_remote, print_stored
from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import cluster, connects, run_to_end
from tradewind.cli.output.terminal import say_log
from tradewind.cli.shell.completion import names_of, tasks_of
from tradewind.cli.views.pod_logs import PodLogs
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound

NAMED = 5
"""Tasks without a log that are named."""


@click.command()
@click.argument("run", type=RUN, shell_complete=names_of("runs"))
@click.argument("task", required=False, shell_complete=tasks_of)
@click.option("-f", "--follow", is_flag=True, help="Follow the logs until the run has ended.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines of each attempt.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder that a session on this machine recorded to: RUN is one of its runs, or a uid.",
)
@connects()
def command(run: str, task: str | None, follow: bool, tail: int | None, data: Path | None, **rest: Any) -> None:
    """Print the logs of all tasks of RUN, or of one TASK, item (`TASK[3]`) or task of a sub-DAG (`TASK/INNER`): of
    every attempt whose pod still exists; if none does, those that a recorder has kept, of the cluster or in a folder (--data)."""
    if data is None:
        _of_cluster(run=run, task=task, follow=follow, tail=tail, **rest)
        return
    if follow:
        raise click.UsageError("--follow: a recorded log has ended; leave it out")
    run_to_end(print_stored(data, rest["namespace"], run, task or "", tail, _show))


@cluster
async def _of_cluster(
    client: Client, namespace: str, run: str, task: str | None, follow: bool, tail: int | None
) -> None:
    logs = PodLogs(client, namespace, task or "", tail)
    missing: NotFound | None = None
    try:
        await (logs.follow if follow else logs.print_current)(run, _show)
    except NotFound as error:
        missing = error
    if not logs.printed:
        if await print_remote(client, namespace, run, task or "", tail, _show):
            return
        if missing:
            raise missing
        what = f"task {task} of run {run}" if task else f"run {run}"
        if logs.stopped:
            named = ", ".join(f"{name} ({reason})" for name, reason in [*logs.stopped.items()][:NAMED])
            more = f" and {len(logs.stopped) - NAMED} more" if len(logs.stopped) > NAMED else ""
            words = f"{named}{more} was stopped, and the pod of what is stopped is deleted with its log"
            raise click.ClickException(f"{what} has no logs: {words}")
        raise click.ClickException(
            f"{what} has no logs: nothing has started yet, its tasks need no pods, or the DAG's podRetention has removed them"
        )


def _show(label: str, lines: Sequence[str]) -> None:
    for line in lines:
        say_log(f"{label}{line}")
