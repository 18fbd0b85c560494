"""The parts of a DAG's spec as written that have tasks: its own, and its local DAGs."""

from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.model.local_dag import MOST_LOCAL_DAGS


def held(spec: Any) -> Mapping[str, Any]:
    """The local DAGs in a DAG's spec, by name; none if there are more than there may be."""
    dags = spec.get("dags") if isinstance(spec, dict) else None
    if not isinstance(dags, dict) or len(dags) > MOST_LOCAL_DAGS:
        return {}
    return {name: body for name, body in dags.items() if isinstance(name, str)}


def bodies(spec: Any, at: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of a DAG's spec, which is `at` a path, each with its own path."""
    if isinstance(spec, dict):
        yield at, spec
    for name, body in held(spec).items():
        if isinstance(body, dict):
            yield f"{at}.dags.{name}", body


def tasks(spec: Any, at: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    """The tasks in a DAG's spec, which is `at` a path, each with its own path."""
    for path, body in bodies(spec, at):
        found = body.get("tasks")
        for name, task in found.items() if isinstance(found, dict) else ():
            if isinstance(task, dict):
                yield f"{path}.tasks.{name}", task


def replaced(spec: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A DAG's spec with other values of fields, by path: of tasks, or of the defaults of a part."""
    if not fields:
        return spec
    found = {**spec, **({"dags": {**spec["dags"]}} if "dags" in spec and held(spec) else {})}
    for path, part in bodies(found):
        copy = found if path == "spec" else {**part}
        if isinstance(part.get("tasks"), dict):
            copy["tasks"] = {name: fields.get(f"{path}.tasks.{name}", task) for name, task in part["tasks"].items()}
        if f"{path}.defaults" in fields:
            copy["defaults"] = fields[f"{path}.defaults"]
        if copy is not found:
            found["dags"][path.removeprefix("spec.dags.")] = copy
    return found
