"""`tradewind run`: runs a DAG from a file on this machine, or a DAG of the cluster."""

from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import click
import orjson

from tradewind.cli.laptop.recorded import DATA
from tradewind.cli.objects.dated_runs import moment_of
from tradewind.cli.objects.targets import DAG, NewName
from tradewind.cli.objects.watch import follow_to_end
from tradewind.cli.options import FILES, OUTPUT, PARAM, REASON, cluster, connects, pairs, run_to_end
from tradewind.cli.output.terminal import say, say_data
from tradewind.cli.prompt_params import complete
from tradewind.cli.shell.completion import names_of
from tradewind.cli.starts.selected import check, selected
from tradewind.cli.starts.wanted import Wanted, own_labels, params_of
from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.template_index import rendered
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden
from tradewind.kube.resources import DAGS, RUNS
from tradewind.look.reading import status as status_of
from tradewind.look.reading import validity
from tradewind.model.run import DAGRun
from tradewind.model.value import Param
from tradewind.plan.dags.compile import defined
from tradewind.plan.triggers.trigger import told


@click.command()
@click.argument("dag", type=DAG, required=False, shell_complete=names_of("dags"))
@click.option(
    "-f",
    "--file",
    "files",
    type=FILES,
    multiple=True,
    metavar="FILE|FOLDER",
    help="Run the DAG in this manifest, or folder, on this machine, without a cluster (`-`: standard input); repeat for more.",
)
@click.option(
    "--approve",
    is_flag=False,
    flag_value="",
    multiple=True,
    metavar="[TASK]",
    help="With -f: approve the approval TASK, or all approvals without a TASK; repeat for more.",
)
@click.option("--reject", multiple=True, metavar="TASK", help="With -f: reject the approval TASK; repeat for more.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="NAME=VALUE",
    help="With -f: answer to a question of the approvals given by --approve; repeat for more.",
)
@click.option("-q", "--quiet", is_flag=True, help="With -f: don't show the tasks' logs.")
@click.option(
    "--http-allow",
    "allowed",
    multiple=True,
    metavar="CIDR",
    type=ip_network,
    help="With -f: network that http tasks may send requests to although it is refused by default; repeat for more.",
)
@click.option("--ui", "with_ui", is_flag=True, help="With -f: show the run in a browser too, until Ctrl-C.")
@click.option("--browser/--no-browser", default=True, help="With --ui: open a browser.  [default: browser]")
@DATA
@click.option("-w", "--watch", is_flag=True, help="On a cluster: follow the run until it has ended.")
@click.option("--log", is_flag=True, help="On a cluster: follow the run until it has ended, with the tasks' logs.")
@click.option(
    "--name",
    default="",
    type=NewName(DAGRun),
    metavar="TEXT",
    help="Name of the run.  [default: generated from the DAG's name]",
)
@click.option(
    "--logical-date",
    metavar="TIME",
    help="Logical date of the run, in UTC or with an offset, which `run.date` keeps.  [default: its creation time]",
)
@click.option("--until", multiple=True, metavar="TASK", help="Run TASK and all that it needs; repeat for more.")
@click.option(
    "--only", multiple=True, metavar="TASK", help="Run TASK only, as if all before it were done; repeat for more."
)
@click.option(
    "--given",
    multiple=True,
    metavar="TASK.OUTPUT=VALUE",
    help="With --only: output of a task that does not run, as JSON or text; repeat for more.",
)
@click.option("-l", "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the run; repeat for more.")
@click.option(
    "--ask/--no-ask", default=None, help="Ask for params.  [default: for those without a default, in a terminal]"
)
@PARAM
@click.option("--param-file", type=FILES, help="YAML or JSON file with params; --param overrides it.")
@REASON
@OUTPUT
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dag: str | None,
    files: tuple[str, ...],
    approve: tuple[str, ...],
    reject: tuple[str, ...],
    answers: tuple[str, ...],
    quiet: bool,
    allowed: tuple[IPv4Network | IPv6Network, ...],
    with_ui: bool,
    browser: bool,
    data: Path | None,
    watch: bool,
    log: bool,
    name: str,
    logical_date: str | None,
    until: tuple[str, ...],
    only: tuple[str, ...],
    given: tuple[str, ...],
    labels: tuple[str, ...],
    ask: bool | None,
    params: tuple[str, ...],
    param_file: str | None,
    reason: str,
    output: str,
    **rest: Any,
) -> None:
    """Run DAG on the cluster, or the DAG of a manifest (-f) on this machine.

    \b
    tradewind run -f dag.yaml --param region=south     here, as local processes
    tradewind run leave-forecast --param region=south  on the cluster, one pod per task

    The exit code is 0 if the run succeeded, 1 if it did not, and 130 after Ctrl-C.
    """
    _refuse(
        ctx,
        ["watch", "log", "namespace", "context", "kubeconfig"]
        if files
        else ["approve", "reject", "answers", "quiet", "allowed", "with_ui", "data"],
        bool(files),
    )
    wanted = Wanted(
        texts=pairs(params),
        typed=run_to_end(_params(param_file)),
        labels=own_labels(pairs(labels, "--label")),
        name=name,
        reason=reason,
        ask=ask,
        spec={
            **({"logicalDate": told(moment_of(logical_date, "--logical-date"))} if logical_date else {}),
            **selected(until, only, pairs(given, "--given", "TASK.OUTPUT=VALUE")),
        },
    )
    if files:
        from tradewind.cli.laptop.decisions import Decisions
        from tradewind.cli.laptop.local_run import Local, run_here

        decisions = Decisions(frozenset(approve), frozenset(reject), pairs(answers, "--answer"))
        local = Local(decisions, quiet, allowed, with_ui, browser, data)
        ctx.exit(run_to_end(run_here(files, dag, wanted, local, output)))
    if not dag:
        raise click.UsageError("name a DAG of the cluster, or give a manifest with -f")
    ctx.exit(0 if _run_there(dag=dag, wanted=wanted, watch=watch or log, log=log, output=output, **rest) else 1)


command = connects("Namespace on the cluster.")(command)


def _refuse(ctx: click.Context, names: list[str], here: bool) -> None:
    """Raises UsageError for an option that has no meaning in this mode."""
    for option in ctx.command.params:
        if option.name in names and ctx.params.get(option.name):
            why = "a run of -f is on this machine and is always shown" if here else "it is for runs of -f"
            raise click.UsageError(f"{option.opts[-1]}: {why}; leave it out")


async def _params(path: str | None) -> dict[str, Any]:
    return params_of(path) if path else {}


@cluster
async def _run_there(
    client: Client, namespace: str, dag: str, wanted: Wanted, watch: bool, log: bool, output: str
) -> bool:
    declared = await _declared(client, namespace, dag)
    if not wanted.spec.keys().isdisjoint(("only", "until")):
        with suppress(Forbidden):  # Without the right to read templates, the run's end says it.
            check(defined(await rendered(client, namespace, dag)), wanted.spec)
    given = (
        {**wanted.typed, **wanted.texts}
        if declared is None
        else complete(declared, wanted.values(declared), wanted.ask)
    )
    body = wanted.body(dag, given)
    await wanted.sign(client, body)
    created = read_run(orjson.loads(await client.create(RUNS, namespace, body, fieldValidation="Strict")))
    if not watch:
        if output == "text":
            say(created.name)
        else:
            say_data({"run": created.name, "namespace": namespace}, output)
        return True
    return await follow_to_end(client, namespace, created.name, log, output)


async def _declared(client: Client, namespace: str, dag: str) -> dict[str, Param] | None:
    """The params of a DAG of the cluster; None if its template has them and the user may not read it."""
    body = await client.get(DAGS, namespace, dag)
    spec, status = body["spec"], status_of(body)
    if status.get("phase") == "Invalid" and status.get("observedGeneration") == body["metadata"].get("generation"):
        raise click.ClickException(f"dag/{dag} is invalid, so a run of it would fail: {validity(body)}")
    if spec.get("suspend"):
        say(f"dag/{dag} is suspended: the run waits until `tradewind resume dag/{dag}`", err=True)
    if spec.get("template"):
        try:
            spec = (await rendered(client, namespace, dag)).spec
        except Forbidden:
            return None
    return {name: Param.model_validate(body) for name, body in (spec.get("params") or {}).items()}
