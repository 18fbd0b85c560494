"""Suggestions for a name that no object has."""

import re

import click

from tradewind import GROUP
from tradewind.cli.objects.targets import KINDS
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import DAGS, NAMESPACES, RUNS, Resource
from tradewind.model.dag_name import home, local
from tradewind.plan.documents.nearest import did_you_mean
from tradewind.plan.documents.parts import held

LAST = 3
"""Objects that are named."""
MOST = 500
"""Objects whose names are compared."""
_TOLD = re.compile(rf'(\w+)\.{re.escape(GROUP)} "(.+)" not found')


async def must_be_there(client: Client, namespace: str) -> None:
    """Raises ClickException for a namespace that is known not to exist; does nothing if the user may not ask."""
    try:
        await client.get(NAMESPACES, "", namespace)
    except NotFound:
        try:
            names = [item["metadata"]["name"] for item in (await client.list(NAMESPACES, limit=str(MOST)))["items"]]
        except ApiError:  # the suggestion is optional
            names = []
        guess = did_you_mean(namespace, names)
        raise click.ClickException(f"there is no namespace {namespace}{f'; {guess}' if guess else ''}") from None
    except ApiError:
        return


async def unknown(client: Client, namespace: str, error: NotFound) -> str:
    """The message for a missing object of Tradewind's kinds; empty for any other."""
    told = _TOLD.search(error.message)
    resource = next((item for item in KINDS.values() if told and item.plural == told[1]), None)
    if told is None or resource is None:
        return ""
    name = told[2]
    what = {RUNS: "run", DAGS: "DAG"}.get(resource, resource.kind)
    if resource.namespaced:
        await must_be_there(client, namespace)
    words = f"there is no {what} {name}{f' in namespace {namespace}' if resource.namespaced else ''}"
    try:
        hint = await _meant(client, namespace, resource, name)
    except ApiError:  # the suggestion is optional, and may be forbidden
        hint = ""
    return f"{words}; {hint}" if hint else words


async def _meant(client: Client, namespace: str, resource: Resource, name: str) -> str:
    if resource is RUNS and await _there(client, DAGS, namespace, name):
        return await _a_dag(client, namespace, name)
    if resource is DAGS and (run := await _there(client, RUNS, namespace, name)):
        return f"{name} is a run of DAG {run['spec']['dag']}: see `tradewind describe {name}`"
    if (
        resource is DAGS
        and (dag := await _there(client, DAGS, namespace, home(name)))
        and local(name) in held(dag["spec"])
    ):
        return f"{local(name)} is a local DAG of {home(name)}, which only its tasks run: `tradewind run {home(name)}`"
    listed = await client.list(resource, namespace if resource.namespaced else None, limit=str(MOST))
    names = [item["metadata"]["name"] for item in _youngest_first(listed["items"])]
    plural = "runs" if resource is RUNS else resource.plural
    if not names:
        return "there is none yet"
    if guess := did_you_mean(name, names):
        return guess
    more = f", and more: see `tradewind get {plural}`" if len(names) > LAST else ""
    return f"there {'are' if names[1:] else 'is'} {', '.join(names[:LAST])}{more}"


async def _a_dag(client: Client, namespace: str, name: str) -> str:
    runs = (await client.list(RUNS, namespace, fieldSelector=f"spec.dag={name}", limit=str(MOST)))["items"]
    if not runs:
        return f"{name} is a DAG without runs: `tradewind run {name}` starts one"
    last = ", ".join(run["metadata"]["name"] for run in _youngest_first(runs)[:LAST])
    return f"{name} is a DAG; its last runs: {last}. See `tradewind describe dag {name}`"


def _youngest_first(items: list[Object]) -> list[Object]:
    return sorted(items, key=lambda item: str(item["metadata"]["creationTimestamp"]), reverse=True)


async def _there(client: Client, resource: Resource, namespace: str, name: str) -> Object | None:
    try:
        return await client.get(resource, namespace, name)
    except NotFound:
        return None
