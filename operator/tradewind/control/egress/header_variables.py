"""Values for `$(NAME)` in headers of requests: a task's own variables, and values from Secrets and ConfigMaps."""

import base64
from collections.abc import Iterable, Mapping

from tradewind.control.pods.rendering import Renderer
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import CONFIG_MAPS, SECRETS, Resource
from tradewind.model.task import EnvSource, Task
from tradewind.plan.expressions.interpolation import secret
from tradewind.plan.runs.planner import Planner

Wanted = tuple[str, Resource, str, str, bool]
"""A variable, the location of its value (kind, name, key), and whether it may be missing."""


class MissingReferenceError(Exception):
    """A Secret, a ConfigMap or a key of one is missing. The message says what to create."""


def texts(planner: Planner, task: Task, renderer: Renderer) -> dict[str, str]:
    """Variables of a task with literal values. Raises Unrenderable."""
    secrets = planner.definition.secrets
    return {name: renderer.plain(f"env.{name}", text) for name, text in task.env.items() if not secret(text, secrets)}


def wanted(planner: Planner, task: Task) -> list[Wanted]:
    """Variables of a task that come from Secrets and ConfigMaps."""
    found = referred(task.env_from)
    for variable, text in task.env.items():
        given = planner.ledger.run.params.get(secret(text, planner.definition.secrets))
        if isinstance(given, dict):
            found.append((variable, SECRETS, given["name"], given["key"], False))
    return found


def referred(sources: Mapping[str, EnvSource]) -> list[Wanted]:
    """The references in `envFrom`."""
    found: list[Wanted] = []
    for variable, source in sources.items():
        if ref := source.secret_key_ref or source.config_map_key_ref:
            kind = SECRETS if source.secret_key_ref else CONFIG_MAPS
            found.append((variable, kind, ref.name, ref.key, ref.optional))
    return found


async def read(client: Client, namespace: str, wanted: Iterable[Wanted]) -> dict[str, str]:
    """Reads the values. Call it only if the operator may read the namespace's Secrets. Raises MissingReferenceError, and errors of the
    API."""
    found: dict[str, str] = {}
    for variable, kind, name, key, optional in wanted:
        try:
            data = (await client.get(kind, namespace, name)).get("data") or {}
        except NotFound:
            data = {}
        if key in data:
            found[variable] = base64.b64decode(data[key]).decode() if kind is SECRETS else str(data[key])
        elif not optional:
            raise MissingReferenceError(
                f"there is no {kind.kind} {name} with a key {key!r}: create it, or fix env and envFrom"
            )
    return found
