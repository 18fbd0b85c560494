"""`tradewind backfill`: runs for ticks of the past."""

from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.table import Table

from tradewind import API_VERSION, GROUP
from tradewind.cli.objects.follow_backfill import follow
from tradewind.cli.objects.targets import DAG, NewName
from tradewind.cli.options import PARAM, cluster, pairs
from tradewind.cli.output.terminal import Console, say, say_data
from tradewind.cli.starts.wanted import values
from tradewind.control.backfills.status import in_words, left
from tradewind.control.backfills.tick_runs import tick_runs
from tradewind.control.backfills.ticks import BackfillTicks, Occasions
from tradewind.control.dagrun.run_index import RunIndex
from tradewind.control.dags.template_index import rendered
from tradewind.control.triggers.source import NotReady
from tradewind.kube.client import Client
from tradewind.kube.resources import BACKFILLS, TRIGGERS
from tradewind.look.reading import status as status_of
from tradewind.look.whoami import signed
from tradewind.model.backfill import Backfill, BackfillSpec
from tradewind.model.shown import counted
from tradewind.model.value import Param
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.backfill import Decided, decide, is_cut, review
from tradewind.plan.triggers.trigger import check, told

STATES = {"missing": "Missing", "failed": "Failed", "succeeded": "Succeeded"}
SHOWN = 50
"""Ticks shown per action."""


@click.command()
@click.argument("dag", type=DAG)
@click.option(
    "--start", metavar="TIME", help="First tick, inclusive: 2026-01-31 or 2026-01-31T06:00, optionally with an offset."
)
@click.option("--end", metavar="TIME", help="Last tick, inclusive; a date includes the whole day.  [default: now]")
@click.option(
    "--tick",
    "ticks",
    multiple=True,
    metavar="TIME",
    help="A single tick, or all ticks of this date, instead of a range; repeat for more.",
)
@click.option("--trigger", help="Trigger whose ticks to run.  [default: the DAG's only trigger with a schedule]")
@click.option("--cron", help="Cron expression for the ticks, instead of a trigger.")
@click.option(
    "--time-zone", help="Time zone of --cron and of times without an offset.  [default: the trigger's, else UTC]"
)
@click.option(
    "--runs",
    multiple=True,
    type=click.Choice(list(STATES)),
    default=["missing"],
    show_default=True,
    help="Which ticks to run: those without a run, with a failed run, or with a successful run. Repeat for more.",
)
@click.option("--newest-first", is_flag=True, help="Start with the latest tick.")
@click.option(
    "--parallelism", type=click.IntRange(1, 100), default=1, show_default=True, help="Maximum number of active runs."
)
@click.option("--priority", type=int, help="Priority of the runs.  [default: -1000]")
@click.option(
    "--name",
    type=NewName(Backfill),
    metavar="TEXT",
    help="Name of the backfill.  [default: generated from the DAG's name]",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("-w", "--watch", is_flag=True, help="Follow the backfill until it ends.")
@PARAM
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml", "name"]),
    default="text",
    show_default=True,
    help="Output format: for people (text), for programs, or only the backfill's name.",
)
@cluster
async def command(
    client: Client,
    namespace: str,
    dag: str,
    start: str | None,
    end: str | None,
    ticks: tuple[str, ...],
    trigger: str | None,
    cron: str | None,
    time_zone: str | None,
    runs: tuple[str, ...],
    newest_first: bool,
    parallelism: int,
    priority: int | None,
    name: str | None,
    dry_run: bool,
    watch: bool,
    params: tuple[str, ...],
    output: str,
) -> None:
    """Create runs of DAG for past ticks.

    \b
    tradewind backfill sales --start 2026-05-01 --end 2026-05-31 --dry-run
    tradewind backfill sales --start 2026-05-01 --runs missing --runs failed --parallelism 4
    tradewind backfill sales --tick 2026-05-03 -p region=south

    The ticks, and the names of their runs, are those of the DAG's trigger, so a tick that its schedule has run doesn't run again.
    """
    if bool(ticks) == bool(start):
        raise click.UsageError("give --start (and --end), or --tick")
    declared = await _declared(client, namespace, dag)
    if not cron and not trigger:
        trigger = await _only(client, namespace, dag, needed=not ticks)
    spec: dict[str, Any] = {
        "dag": dag,
        "trigger": trigger,
        "cron": cron,
        "timeZone": time_zone,
        "start": start,
        "end": end,
        "ticks": list(ticks),
        "runs": [STATES[state] for state in dict.fromkeys(runs)],
        "order": "NewestFirst" if newest_first else None,
        "parallelism": parallelism,
        "priority": priority,
        "params": values(declared, pairs(params)),
    }
    spec = {field: value for field, value in spec.items() if value not in (None, [], {})}
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": f"{dag[:40]}-"}
    try:
        read_spec = read(BackfillSpec, spec)
        if problems := review(read_spec):
            raise Invalid(problems)
        now = datetime.now(UTC)
        about, decided = await _preview(client, namespace, name, read_spec, declared, now)
        cut = is_cut(read_spec, about.calendar, now)
    except Invalid as error:
        raise click.ClickException("\n".join(map(str, error.problems))) from None
    except (NotReady, ExpressionError) as error:
        raise click.ClickException(str(error)) from None
    if cut:
        say(f"note: --end {end} is in the future: there are only ticks up to now", err=True)
    if output == "text":
        _show(about, decided, named=bool(name))
    if dry_run or not decided.steps:
        if output in ("json", "yaml"):
            say_data(_data(None, namespace, about, decided), output)
        return
    body = {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": metadata, "spec": spec}
    metadata |= {"annotations": await signed(client, "")}
    made = orjson.loads(await client.create(BACKFILLS, namespace, body, fieldValidation="Strict"))["metadata"]["name"]
    if output == "text":
        say(f"backfill/{made}: {in_words(decided.steps)}, {parallelism} at once")
    elif output == "name":
        say(f"backfill.{GROUP}/{made}")
    else:
        say_data(_data(made, namespace, about, decided), output)
    if watch and status_of(await follow(client, namespace, made, output != "text")).get("phase") != "Succeeded":
        raise click.exceptions.Exit(1)


def _data(made: str | None, namespace: str, about: Occasions, decided: Decided) -> dict[str, Any]:
    """The output for programs: the backfill, unless none was made, and its actions."""
    steps = [{"tick": told(about.calendar.local(step.tick)), "action": step.action} for step in decided.steps]
    return {"backfill": made, "namespace": namespace, "ticks": len(about.ticks), "kept": decided.kept, "steps": steps}


async def _declared(client: Client, namespace: str, dag: str) -> dict[str, Param]:
    spec = (await rendered(client, namespace, dag)).spec
    return {name: Param.model_validate(body) for name, body in (spec.get("params") or {}).items()}


async def _only(client: Client, namespace: str, dag: str, needed: bool) -> str | None:
    """The DAG's trigger that has a schedule, if there is exactly one. Invalid triggers have no ticks and don't count."""
    items = (await client.list(TRIGGERS, namespace, fieldSelector=f"spec.dag={dag}"))["items"]
    scheduled = {item["metadata"]["name"]: status_of(item) for item in items if "schedule" in item["spec"]}
    found = [name for name, status in scheduled.items() if status.get("phase") != "Invalid"]
    if len(found) > 1:
        raise click.UsageError(
            f"DAG {dag} has the triggers {', '.join(sorted(found))}: choose with --trigger, or --cron"
        )
    if not found and scheduled and needed:
        name, status = next(iter(scheduled.items()))
        raise click.UsageError(
            f"trigger {name} of DAG {dag} is invalid: {status.get('message')}; fix it, or give --cron"
        )
    if not found and needed:
        raise click.UsageError(f"DAG {dag} has no trigger with a schedule: say which ticks there are with --cron")
    return found[0] if found else None


async def _preview(
    client: Client, namespace: str, name: str | None, spec: BackfillSpec, declared: dict[str, Param], now: datetime
) -> tuple[Occasions, Decided]:
    about = await BackfillTicks(client).of(namespace, name or "backfill", now, spec)
    if problems := check(about.maker.spec, declared):
        raise Invalid(problems)
    runs = await RunIndex(client).of((namespace, spec.dag))
    return about, decide(spec, about.ticks, tick_runs(runs, ""))


def _show(about: Occasions, decided: Decided, named: bool) -> None:
    """Prints the plan. `named`: the backfill's name is known; runs that belong to no trigger have it in their names."""
    table = Table("TICK", "ACTION", "RUN", box=None, pad_edge=False, header_style="bold")
    for step in decided.steps[:SHOWN]:
        of_trigger = step.action == "Create" and about.of_trigger
        run = step.run or (about.run(step)["metadata"]["name"] if named or of_trigger else "")
        table.add_row(told(about.calendar.local(step.tick)), step.action, run)
    console = Console()
    if decided.steps:
        console.print(table)
    if (more := len(decided.steps) - SHOWN) > 0:
        console.print(f"and {more} more", style="dim")
    kept = f"; {left(decided.kept)}" if decided.kept else ""
    console.print(f"{counted(len(about.ticks), 'tick')}: {in_words(decided.steps)}{kept}")
