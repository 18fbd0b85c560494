"""`tradewind get assets`: the latest update of each asset, from the runs that exist."""

from dataclasses import asdict

import orjson
from rich.table import Table

from tradewind.cli.objects.unknown import must_be_there
from tradewind.cli.output.terminal import Console, say, say_data
from tradewind.cli.views.age import age
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS
from tradewind.look.assets import latest
from tradewind.look.reading import status as status_of

PAGE = 100
"""Runs per request."""


async def show(client: Client, namespace: str | None, name: str | None, output: str) -> None:
    """Prints the assets of a namespace, or of all namespaces; with a name, only that asset."""
    runs = []
    async for item in items(client, RUNS, namespace, PAGE):
        run = orjson.loads(item)
        if status_of(run).get("produced"):
            runs.append(run)
    updates = [update for update in latest(runs) if name in (None, update.name)]
    if not updates and namespace is not None:
        await must_be_there(client, namespace)
    if output == "name":
        for named in dict.fromkeys(update.name for update in updates):
            say(named)
        return
    if output in ("json", "yaml"):
        say_data([asdict(update) for update in updates], output)
        return
    if not updates:
        say(f"no assets in {'any namespace' if namespace is None else f'namespace {namespace}'}", err=True)
        return
    heads = ["ASSET", "PARTITION", "UPDATED", "DAG", "RUN", "TASK"]
    table = Table(*(["NAMESPACE"] if namespace is None else []), *heads, box=None, pad_edge=False, header_style="bold")
    for update in updates:
        cells = [update.name, update.partition, age(update.at), update.dag, update.run, update.task]
        table.add_row(*([update.namespace] if namespace is None else []), *cells)
    Console().print_whole(table)
