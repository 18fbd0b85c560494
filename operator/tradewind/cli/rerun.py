"""`tradewind rerun`: a new run that reuses results of another."""

from dataclasses import replace

import click
import orjson

from tradewind.cli.edit import show
from tradewind.cli.objects.targets import RUN
from tradewind.cli.objects.watch import follow_to_end
from tradewind.cli.options import PARAM, REASON, cluster, pairs
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import names_of
from tradewind.cli.starts.wanted import values
from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.approval_askers import as_called, asking
from tradewind.control.dags.call_pins import current_pins, pins_of
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.look.run_body import run_body
from tradewind.look.run_view import look
from tradewind.look.whoami import signed
from tradewind.model.run import Reuse
from tradewind.plan.dags.compile import defined
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.outcomes.attempt import Fixed
from tradewind.plan.runs.rework import reuse_problems, taken_over

_ALL_TAKEN = (
    "all tasks succeeded in {}; --from TASK runs a task again with all that depend on it, --all runs everything"
)


@click.command()
@click.argument("run", type=RUN, shell_complete=names_of("runs"))
@click.option(
    "--from",
    "rerun",
    multiple=True,
    metavar="TASK",
    help="Run this task again, with all tasks that depend on it; repeat for more.",
)
@click.option("--only", multiple=True, metavar="TASK", help="Run only this task; repeat for more.")
@click.option("--all", "everything", is_flag=True, help="Reuse no results: run all tasks, with the same params.")
@PARAM
@REASON
@click.option("--dry-run", is_flag=True, help="Only show which tasks would run.")
@click.option(
    "-w", "--watch/--no-watch", default=False, help="Follow the run until it ends, as `run` does.  [default: no-watch]"
)
@cluster
async def command(
    client: Client,
    namespace: str,
    run: str,
    rerun: tuple[str, ...],
    only: tuple[str, ...],
    everything: bool,
    params: tuple[str, ...],
    reason: str,
    dry_run: bool,
    watch: bool,
) -> None:
    """Start a new run of the current revision of RUN's DAG, with RUN's params unless given. Tasks that succeeded in RUN
    are reused with their outputs, except as given by --from, --only or --all."""
    other, view = await look(client, namespace, run, Revisions(client))
    if view is None or view.planner is None:
        raise click.ClickException(f"dagrun/{run} has not begun: there is nothing to take over")
    if other.local:
        what = f"dagrun/{run} runs {other.dag}, which only tasks of dag/{other.home} run"
        raise click.ClickException(f"{what}: `tradewind retry {run}`, or rerun the run that it is part of")
    try:
        definition = defined(await rendered(client, namespace, other.dag))
    except Invalid as error:
        raise click.ClickException(f"dag/{other.dag} is invalid: {error}") from None
    given = {**other.params, **values(definition.spec.params, pairs(params))}
    in_force, problems = resolve(definition.spec.params, given)
    if problems:
        raise click.ClickException("\n".join(f"--param {str(item).removeprefix('spec.params.')}" for item in problems))
    body = run_body(other.dag, given)
    # The new run processes the same data. Results reused from a run without dates are of the time when that run was
    # created.
    body["spec"] |= other.dates if everything else other.facts.dates
    facts = replace(other.facts, params=in_force)
    reuse = Reuse(run=run, rerun=list(rerun), only=list(only))
    if wrong := [*reuse_problems(reuse, definition)]:
        raise click.ClickException("\n".join(f"{problem.what}; {problem.instead}" for problem in wrong))
    within = as_called(await asking(client, namespace, definition, other.dag), other.dag)
    called = await current_pins(client, namespace, definition, other.dag)
    same_calls = called is not None and called.items() <= pins_of(other).items()
    try:
        taken: list[Fixed] = (
            [] if everything else taken_over(view.planner, definition, reuse, facts, within, same_calls)
        )
    except Invalid as error:
        raise click.ClickException(str(error)) from None
    keys = {item.key for item in taken}
    show([(item.key, f"{item.state}, {item.why}") for item in taken])
    runs = [name for name in definition.graph.order if name not in keys and f"{name}[0]" not in keys]
    show([(name, "runs") for name in runs])
    if taken and not runs:
        raise click.ClickException(f"nothing would run: {_ALL_TAKEN.format(run)}")
    if dry_run:
        return
    body["metadata"]["annotations"] = await signed(client, reason)
    if not everything:
        body["spec"]["reuse"] = reuse.model_dump(exclude_defaults=True)
    created = read_run(orjson.loads(await client.create(RUNS, namespace, body, fieldValidation="Strict")))
    say(f"dagrun/{created.name} started")
    if watch:
        succeeded = await follow_to_end(client, namespace, created.name, False, "text")
        click.get_current_context().exit(0 if succeeded else 1)
