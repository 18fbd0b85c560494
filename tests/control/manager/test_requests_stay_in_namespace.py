"""Whatever texts an object contains: the operator requests nothing outside of the object's namespace."""

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tradewind import API_VERSION
from tradewind.control.manager.manager import Operator, Options
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Invalid
from tradewind.kube.resources import BACKFILLS, CONFIG_MAPS, DAGS, POOLS, RUNS, SECRETS, TEMPLATES, TRIGGERS, Resource
from tradewind.local.apiserver import ApiServer
from tradewind.local.session import EGRESS
from tradewind.model.crd import manifests
from worlds.hostile import NAMES

Body = dict[str, Any]
OWN, OTHERS = "team-a", "team-b"
LOOT = "jewels-of-team-b"
REF = {"name": "own", "key": "k"}
HTTP = {"url": "http://127.0.0.1:1/", "headers": {"X-A": "$(A)", "X-B": "$(B)"}}
FROM = {"A": {"secretKeyRef": REF}, "B": {"configMapKeyRef": REF}}
S3 = {"endpoint": "http://127.0.0.1:1", "bucket": "s3", "secretName": "own", "prefix": "in/"}
SQL = {"host": "127.0.0.1", "port": 1, "database": "d", "secretName": "own", "query": "SELECT 1", "parameters": ["x"]}
SCHEDULE = {"cron": "0 0 1 1 *", "timeZone": "UTC", "exclude": [{"configMap": REF}]}
DAG: Body = {
    "params": {"p": {"default": "v"}, "s": {"type": "secret"}},
    "defaults": {"image": "x", "serviceAccountName": "own"},
    "allowTriggersFrom": ["team-c"],
    "artifacts": {"store": {"volume": {"claimName": "own"}}},
    "tasks": {
        "http": {"http": HTTP, "envFrom": FROM, "env": {"C": "$[[ params.s ]]"}},
        "object": {"sensor": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "name": "own"}}},
        "named": {"sensor": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "name": "$[[ params.p ]]"}}},
        "bucket": {"sensor": {"bucket": S3}},
        "sql": {"sensor": {"sql": SQL}},
        "run": {"sensor": {"run": {"dag": "own", "labels": {"a": "b"}, "logicalDate": ""}}},
        "asked": {"sensor": {"http": HTTP, "until": "body == 1"}, "envFrom": FROM},
        "sub": {"dag": {"name": "other", "params": {"x": "y"}}},
        "ask": {"approval": {"message": "m", "questions": {"q": {"description": "d"}}}},
        "pod": {"command": ["x"], "pools": [{"name": "own"}, {"name": "shared", "kind": "ClusterPool"}]},
        "used": {"template": {"name": "own", "params": {"name": "own"}}},
        "shared": {"template": {"name": "own", "cluster": True, "params": {"name": "own"}}},
    },
}
TEMPLATE: Body = {
    "params": {"name": {"default": "own"}},
    "task": {"http": HTTP, "envFrom": {"A": {"secretKeyRef": {"name": "$[[ inputs.name ]]", "key": "k"}}, **FROM}},
}
SOURCES: dict[str, Body] = {
    "schedule": SCHEDULE,
    "event": {"authentication": {"hmac": {"secretRef": REF}}},
    "token": {"authentication": {"token": {"secretRef": REF}}},
    "completed": {"dags": [{"name": "own", "namespace": OWN}]},
    "assets": {"anyOf": [{"name": "own"}]},
    "object": {"apiVersion": "v1", "kind": "ConfigMap", "changes": ["Created"], "labelSelector": {"matchLabels": {"a": "b"}}},
    "bucket": {"bucket": {**S3, "key": ""}},
    "sql": {"sql": SQL, "key": "rows"},
    "http": {"http": HTTP, "key": "body", "envFrom": FROM},
}  # fmt: skip
SOMETIMES = {("create", "events", "", "default"), ("list", "controllerrevisions", "", "")}
"""Requests that the operator sends occasionally, whatever tenants write: Events on cluster-scoped objects are in
`default`."""
WATCHED = {kind.plural for kind in (DAGS, RUNS, TRIGGERS, BACKFILLS, POOLS, *TEMPLATES.values())}
FIELD = {"token": "event", "bucket": "sensor", "sql": "sensor", "http": "sensor"}


def documents() -> Iterator[tuple[Resource, Body]]:
    """One object of each kind, or use of it, that makes the operator send requests."""
    yield DAGS, DAG
    yield TEMPLATES["TaskTemplate"], TEMPLATE
    yield TEMPLATES["ClusterTaskTemplate"], TEMPLATE
    yield TEMPLATES["DAGTemplate"], {"dag": {"tasks": DAG["tasks"]}}
    for name, source in SOURCES.items():
        yield TRIGGERS, {"dag": "own", FIELD.get(name, name): source}
    yield BACKFILLS, {"dag": "own", "trigger": "own", "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    yield POOLS, {"slots": 1, "description": "d"}
    run = {"dag": "own", "params": {"p": "own", "s": {"name": "own", "key": "k"}}, "queue": "q"}
    yield RUNS, run
    yield RUNS, {**run, "reuse": {"run": "own", "rerun": ["http"]}}
    yield RUNS, {**run, "edits": [{"action": "Skip", "tasks": ["ask"], "by": "ada", "reason": "r"}]}


def changed(spec: Body, text: str) -> Iterator[Body]:
    """The document with the text in place of each of its own, one at a time."""

    def leaves(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        if isinstance(node, str):
            yield path
        elif isinstance(node, dict | list):
            for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
                yield from leaves(inner, (*path, key))

    for path in leaves(spec, ()):
        body = copy.deepcopy(spec)
        node = body
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = text
        yield body


def unguarded(node: Any) -> Any:
    """A CRD as it was before its names had patterns."""
    if isinstance(node, dict):
        return {key: unguarded(inner) for key, inner in node.items() if key != "pattern" or not isinstance(inner, str)}
    return [unguarded(inner) for inner in node] if isinstance(node, list) else node


@contextlib.asynccontextmanager
async def tenants() -> AsyncIterator[tuple[ApiServer, Client, int]]:
    """A cluster of two tenants, whose CRDs accept every name, an operator that may read everything, and the number of
    requests before its first."""
    async with ApiServer(crds=[unguarded(crd) for crd in manifests()]) as server:
        connection = Connection(server.url)
        async with Client(connection) as client:
            namespaces = Resource("/api/v1", "namespaces", "Namespace", namespaced=False)
            for namespace in (OWN, OTHERS):
                await client.create(namespaces, "", {"metadata": {"name": namespace}})
            for resource in (SECRETS, CONFIG_MAPS):
                for namespace, name in ((OWN, "own"), (OTHERS, "crown"), (OTHERS, "x")):
                    value = LOOT if namespace == OTHERS else "mine"
                    meta = {"name": name}
                    body = {"apiVersion": "v1", "kind": resource.kind, "metadata": meta, "data": {"k": value}}
                    await client.create(resource, namespace, body)
            stop, begun = asyncio.Event(), len(server.audit)
            operator = Operator(connection, Options(egress=EGRESS))
            running = asyncio.create_task(operator.run(stop))
            try:
                await operator.engine.ready.wait()
                yield server, client, begun
            finally:
                stop.set()
                await asyncio.gather(running, return_exceptions=True)


async def settled(server: ApiServer, client: Client) -> None:
    """Waits until each kind is watched, each object has a status, and no requests are sent."""
    async with asyncio.timeout(300):
        while not {plural for verb, plural, *_ in list(server.audit) if verb == "watch"} >= WATCHED:
            await asyncio.sleep(0.2)
        for resource in (DAGS, RUNS, TRIGGERS, BACKFILLS):
            while any("status" not in item for item in (await client.list(resource, OWN))["items"]):
                await asyncio.sleep(0.2)
        before = -1
        while before != (before := len(server.audit)):
            await asyncio.sleep(1)


async def asked(*texts: str) -> tuple[set[tuple[str, ...]], int, str]:
    """The operator's requests outside of the tenant's namespace, with each text in every place; the number of objects
    that caused one; and everything written in the namespace."""
    async with tenants() as (server, client, begun):
        made = 0
        for number, (resource, spec) in enumerate(documents()):
            for place, (text, body) in enumerate((said, body) for said in texts for body in changed(spec, said)):
                document = {"apiVersion": API_VERSION, "kind": resource.kind, "spec": body}
                document["metadata"] = {"name": f"d-{number}-{place}"}
                with contextlib.suppress(Invalid):
                    await client.create(resource, OWN, document)
                    made += 1
                    if resource is DAGS:
                        run = {"dag": f"d-{number}-{place}", "params": {"p": text, "s": REF}}
                        await client.create(RUNS, OWN, {**document, "kind": "DAGRun", "spec": run})
        await settled(server, client)
        elsewhere = {entry[:4] for entry in list(server.audit)[begun:] if entry[3] != OWN}
        written = json.dumps([body for _, body in server.store.all() if body["metadata"].get("namespace") == OWN])
        return elsewhere, made, written


@pytest.mark.timeout(1500)  # thousands of objects
async def test_no_text_of_any_object_asks_for_what_is_elsewhere() -> None:
    usual, few, _ = await asked("own")
    assert few > 150 and not any(namespace == OTHERS for *_, namespace in usual)
    elsewhere, many, written = await asked(*NAMES)
    assert many > len(NAMES) * 150
    assert elsewhere - usual <= SOMETIMES
    assert LOOT not in written
