"""The latest update of each asset, from the runs that exist."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.control.dagrun.sanitize import sanitized
from tradewind.look.reading import status as status_of


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
