"""Assets: the versions that a successful task or run produces, and when a trigger has enough of them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from tradewind.model.asset import AssetClause, Assets, Produces
from tradewind.model.duration import stamp
from tradewind.plan.cel.compiler import ExpressionError, Variables
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.runs.task_ledger import TaskLedger
from tradewind.plan.runs.unit import Unit

METADATA_LIMIT = 1_024
"""Bytes of an update's metadata as JSON."""
PARTITION_LIMIT = 256
UPDATES_LIMIT = 500
"""Updates per run: its object must stay small."""
VARIABLES: Variables = (
    *((f"asset.{name}", "string") for name in ("name", "partition", "namespace", "dag", "run", "task", "at")),
    ("asset.metadata", "object"),
    ("assets", "object"),
)
"""`asset` is the update that completed the condition; `assets` has those of all assets, by name."""


class NoUpdate(ValueError):
    """The update of an asset can't be computed. The message names the field and says why."""


def update(ledger: TaskLedger, unit: Unit, index: int, produces: Produces) -> dict[str, Any]:
    """The update from a successful task or item, in the form of a status. Raises NoUpdate."""

    def value(text: str) -> Any:
        return ledger.evaluate_own(unit, text)

    return _update(f"produces[{index}]", produces, value, unit.key, unit.ended[-1].end)


def update_of_run(ledger: TaskLedger, index: int, produces: Produces, now: float) -> dict[str, Any]:
    """The update from a successful run. Raises NoUpdate."""

    def value(text: str) -> Any:
        return evaluate(text, ledger.definition.final_scope, ledger.values_of_run, ledger.of_task)

    return _update(f"spec.produces[{index}]", produces, value, "", now)


def _update(path: str, produces: Produces, value: interpolation.Evaluate, task: str, at: float) -> dict[str, Any]:
    try:
        partition = interpolation.render(produces.partition, value, interpolation.written)
        metadata = interpolation.render_tree(dict(produces.metadata), value)
        size = len(orjson.dumps(metadata))
    except (ExpressionError, TypeError) as error:
        raise NoUpdate(f"{path}: {error}") from None
    if size > METADATA_LIMIT:
        raise NoUpdate(
            f"{path}.metadata: {size} bytes, the limit is {METADATA_LIMIT}: write a reference to the data instead"
        )
    if len(partition) > PARTITION_LIMIT:
        raise NoUpdate(f"{path}.partition: {len(partition)} characters, the limit is {PARTITION_LIMIT}")
    found: dict[str, Any] = {"name": produces.name, "partition": partition, "task": task, "at": stamp(at)}
    return {name: said for name, said in {**found, "metadata": metadata}.items() if said}


def names(spec: Assets) -> list[str]:
    """The assets that a trigger waits for."""
    clauses = (*spec.any_of, *spec.all_of)
    found = [name for clause in clauses for name in (clause.name, *clause.any_of, *clause.all_of) if name]
    return list(dict.fromkeys(found))


def complete(spec: Assets, had: Collection[str]) -> bool:
    """Whether the updated assets are enough."""

    def holds(clause: AssetClause) -> bool:
        if clause.name:
            return clause.name in had
        if clause.any_of:
            return any(name in had for name in clause.any_of)
        return all(name in had for name in clause.all_of)

    return any(map(holds, spec.any_of)) if spec.any_of else all(map(holds, spec.all_of))


def check(spec: Assets) -> Iterator[Problem]:
    """What is wrong with a trigger's assets."""
    if bool(spec.any_of) == bool(spec.all_of):
        found = Problem("spec.assets", "needs one list of assets", "write anyOf or allOf")
        yield found if spec.any_of else found.resting("spec.assets.anyOf", "spec.assets.allOf")
    for field, clauses in (("anyOf", spec.any_of), ("allOf", spec.all_of)):
        for index, clause in enumerate(clauses):
            if sum(map(bool, (clause.name, clause.any_of, clause.all_of))) != 1:
                path = f"spec.assets.{field}[{index}]"
                found = Problem(path, "names no one thing", "write one of name, anyOf and allOf")
                yield found.resting(f"{path}.name", f"{path}.anyOf", f"{path}.allOf")
    if len(names(spec)) > 64:
        yield Problem("spec.assets", f"{len(names(spec))} assets, the limit is 64", "")


def values(update: Mapping[str, Any], updates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values, by the names of VARIABLES."""
    return {**{name: update[name.partition(".")[2]] for name, _ in VARIABLES if "." in name}, "assets": updates}
