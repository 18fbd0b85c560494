"""`tradewind get assets`: the latest update of each asset, from the runs that exist."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from rich.table import Table

from tradewind.cli.objects.unknown import must_be_there
from tradewind.cli.output.terminal import Console, say, say_data
from tradewind.cli.reading import status as status_of
from tradewind.cli.views.age import age
from tradewind.control.dagrun.sanitize import sanitized
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS

PAGE = 100
"""Runs per request."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest update of an asset's partition."""

    namespace: str
    name: str
    partition: str
    at: str
    dag: str
    run: str
    task: str
    metadata: Mapping[str, Any]


def latest(runs: Iterable[Mapping[str, Any]]) -> list[Latest]:
    """The latest update of each asset and partition, sorted by name, then latest first."""
    found: dict[tuple[str, str, str], Latest] = {}
    for run in runs:
        meta = run["metadata"]
        for item in sanitized(status_of(run)).get("produced") or ():
            key = (meta["namespace"], item["name"], str(item.get("partition", "")))
            if key not in found or found[key].at < _at(item):
                metadata = item.get("metadata") or {}
                found[key] = Latest(
                    *key, _at(item), run["spec"]["dag"], meta["name"], str(item.get("task", "")), metadata
                )
    fresh = sorted(found.values(), key=lambda update: (update.at, update.partition), reverse=True)
    return sorted(fresh, key=lambda update: (update.namespace, update.name))


def _at(item: Mapping[str, Any]) -> str:
    return str(item.get("at", ""))


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
