"""`tradewind describe trigger`: what a trigger waits for, when it fires next, or why it does not."""

from collections.abc import Iterator
from typing import Any

import click

from tradewind.cli.objects.targets import Named
from tradewind.cli.options import OUTPUT, cluster
from tradewind.cli.output.terminal import Console, say_data
from tradewind.cli.output.yaml_text import notation, typed
from tradewind.cli.shell.completion import names_of
from tradewind.cli.views.age import age
from tradewind.cli.views.labelled import labelled, phase_fact
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import TRIGGERS
from tradewind.look.reading import of_kind
from tradewind.look.reading import status as status_of
from tradewind.model.trigger import SOURCES


@click.command("trigger", short_help="Show a trigger: when it fires next, or why not.")
@click.argument("name", type=Named(TRIGGERS, "trigger"), shell_complete=names_of("triggers"))
@OUTPUT
@cluster
async def describe_trigger(client: Client, namespace: str, name: str, output: str) -> None:
    """Show a trigger: what it waits for, when it fires next, why it does not, and what it did last."""
    trigger = await client.get(TRIGGERS, namespace, name)
    if output != "text":
        say_data({"trigger": trigger}, output)
        return
    for line in labelled([*_facts(trigger)]):
        Console().print(line)


def _facts(trigger: Object) -> Iterator[tuple[str, str]]:
    spec, status = of_kind(dict, trigger.get("spec")), status_of(trigger)
    phase = status.get("phase")
    yield "Trigger", trigger["metadata"]["name"]
    yield "DAG", str(spec.get("dag") or "")
    yield phase_fact(status, status.get("message"))
    for field in SOURCES:
        if field in spec:
            yield field.capitalize(), _in_words(spec[field])
    if when := spec.get("when"):
        yield "When", str(when)
    schedule = of_kind(dict, status.get("schedule"))
    ticks: list[Any] = of_kind(list, schedule.get("nextTicks"))
    if phase == "Active" and (ticks or status.get("next")):
        yield "Next", ", ".join(map(str, ticks or [status.get("next")]))
    elif phase != "Active":
        yield "Next", "none while it is not Active"
    last = of_kind(dict, status.get("lastRun"))
    if last.get("name"):
        yield "Last run", f"{last['name']}, {age(last['at'])} ago" if last.get("at") else str(last["name"])
    for field in SOURCES:
        if skipped := of_kind(dict, status.get(field)).get("skipped"):
            yield "Skipped", str(skipped)


def _in_words(value: Any) -> str:
    """A source's fields as `cron: 0 2 * * *, timeZone: Europe/Paris`."""
    if not isinstance(value, dict):
        return notation(value)
    return ", ".join(f"{name}: {typed(part)}" for name, part in value.items())
