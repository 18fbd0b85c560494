"""`tradewind describe dag`: a DAG's state, what starts it, and its last runs."""

import asyncio
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table

from tradewind.cli.objects.targets import DAG
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, Text, Unpadded, say_data
from tradewind.cli.output.yaml_text import notation, typed
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.age import age
from tradewind.cli.views.labelled import labelled, phase_fact
from tradewind.cli.views.run_rows import PHASES
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from tradewind.look.reading import of_kind, validity
from tradewind.look.reading import status as status_of
from tradewind.model.run import FINAL_PHASES

BOUNDS = {
    "timeout": "Timeout",
    "deadline": "Deadline",
    "parallelism": "Parallelism",
    "maxActiveRuns": "Max active runs",
    "concurrencyPolicy": "Concurrency",
    "concurrencyKey": "For each",
    "priority": "Priority",
    "expectSuccessWithin": "Success in",
}
"""Fields of the spec, by the label shown to people."""
SWITCHES = {
    "waitForPrevious": ("Waits", "until the run before has succeeded"),
    "failFast": ("Fails fast", "yes: a run that can't succeed any more stops its tasks"),
}
"""Fields that are on or off, by label and words."""
RECENT = 10
"""Runs that are shown."""


@click.command("dag", short_help="Show a DAG: its tasks, triggers and latest runs.")
@click.argument("name", type=DAG, shell_complete=names_of("dags"))
@OUTPUT
@cluster
async def describe_dag(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a DAG: whether it is valid, its params and tasks, its triggers, and its latest runs."""
    dag = await client.get(DAGS, namespace, name)
    of_dag = {"fieldSelector": f"spec.dag={name}"}
    triggers, runs = await asyncio.gather(
        client.list(TRIGGERS, namespace, **of_dag), client.list(RUNS, namespace, **of_dag)
    )
    recent = sorted(runs["items"], key=lambda run: run["metadata"]["creationTimestamp"], reverse=True)[:RECENT]
    if output != "text":
        say_data({"dag": dag, "triggers": triggers["items"], "runs": recent}, output)
        return
    active = sum(status_of(run).get("phase") not in FINAL_PHASES for run in runs["items"])
    parts: list[RenderableType] = [*labelled([*_facts(dag), ("Active runs", str(active))])]
    parts += [Text(), _tasks(spec := of_kind(dict, dag.get("spec")))]
    for local, body in of_kind(dict, spec.get("dags")).items():
        parts += [Text(), *labelled([("Local DAG", local), *_values(of_kind(dict, body))]), _tasks(of_kind(dict, body))]
    if triggers["items"]:
        parts += [Text(), _triggers(triggers["items"])]
    if recent:
        parts += [Text(), Unpadded(_runs(recent))]
    Console().print(Group(*parts))


def _facts(dag: Object) -> list[tuple[str, str]]:
    spec, status = of_kind(dict, dag.get("spec")), status_of(dag)
    facts = [("DAG", dag["metadata"]["name"]), phase_fact(status, validity(dag))]
    facts.append(("Revision", str(status.get("revision") or "none yet")))
    if spec.get("suspend"):
        facts.append(("Suspended", "yes: no new run begins"))
    facts += _values(spec)
    for name, kept in of_kind(dict, spec.get("keep")).items():
        first = f"{kept.get('type', 'string')}, initially {notation(kept.get('initial'))}"
        facts.append(("Keeps", f"{name} = {kept.get('value')} ({first})"))
    for name, source in of_kind(dict, spec.get("config")).items():
        facts.append(("Reads", f"ConfigMap {source.get('configMap')} as config.{name}"))
    if labels := of_kind(dict, spec.get("runLabels")):
        facts.append(("Run labels", ", ".join(f"{name}={value}" for name, value in labels.items())))
    facts += [(label, words) for field, (label, words) in SWITCHES.items() if spec.get(field)]
    return facts


def _values(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """What a DAG or a local DAG takes, its bounds, and what it gives."""
    facts = []
    for name, param in of_kind(dict, spec.get("params")).items():
        kind, default = param.get("type", "string"), param.get("default")
        left_out = ", optional" if param.get("optional") else f", default {notation(default)}"
        facts.append(("Param", f"{name} ({kind}{left_out if 'default' in param or param.get('optional') else ''})"))
    bounds = {label: spec[name] for name, label in BOUNDS.items() if name in spec}
    facts += [(label, typed(value)) for label, value in bounds.items()]
    for name, expression in of_kind(dict, spec.get("outputs")).items():
        facts.append(("Output", f"{name} = {expression}"))
    return facts


def _table(*heads: str) -> Table:
    return Table(*heads, box=None, pad_edge=False, header_style="bold")


def _tasks(spec: dict[str, Any]) -> Table:
    table = _table("TASK", "DOES", "AFTER")
    for name, task in of_kind(dict, spec.get("tasks")).items():
        table.add_row(Text(name), Text(_does(task)), Text(_after(task)))
    return table


def _after(task: dict[str, Any]) -> str:
    """What a task runs after: other tasks, the ends that it handles, what it tears down, or the end of the run."""

    def named(found: Any, field: str) -> str:
        return ", ".join(map(str, of_kind(list, of_kind(dict, found).get(field))))

    parts = [named(task, "dependsOn")]
    if task.get("waitForPrevious"):
        parts.append("itself in the run before")
    if handles := of_kind(dict, task.get("handles")):
        parts.append(f"{named(handles, 'ends') or 'Failed'} of {named(handles, 'of')}")
    if teardown := of_kind(dict, task.get("teardown")):
        parts.append(f"teardown of {named(teardown, 'of')}")
    if task.get("onExit"):
        parts.append(f"exit: {named(task, 'onExit')}")
    return "; ".join(filter(None, parts))


def _does(task: dict[str, Any]) -> str:
    if isinstance(task.get("dag"), dict):
        called = task["dag"].get("name")
        return f"dag {called}" if called else f"local dag {task['dag'].get('local')}"
    if isinstance(task.get("template"), dict):
        return f"template {task['template'].get('name')}"
    kinds = ("script", "http", "sensor", "approval", "wait", "compute", "command", "args")
    return next((kind for kind in kinds if kind in task), "image")


def _triggers(items: list[Object]) -> Table:
    table = _table("TRIGGER", "SOURCE", "PHASE", "NEXT")
    for item in items:
        status = status_of(item)
        table.add_row(
            *(
                Text(str(text or ""))
                for text in (item["metadata"]["name"], status.get("source"), status.get("phase"), status.get("next"))
            )
        )
    return table


def _runs(items: list[Object]) -> Table:
    table = _table("RUN", "PHASE", "DURATION", "AGE", "MESSAGE")
    for item in items:
        status = status_of(item)
        phase = str(status.get("phase") or "Queued")
        message = str(status.get("message") or "").partition("\n")[0]
        cells = (
            item["metadata"]["name"],
            phase,
            str(status.get("duration") or ""),
            age(item["metadata"]["creationTimestamp"]),
            message,
        )
        table.add_row(*(Text(cell, style=PHASES.get(cell, "")) for cell in cells))
    return table
