"""Users of templates: a change is reported to its users, and to nobody else. On the embedded API server."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from tradewind import API_VERSION
from tradewind.control.dags.template_index import Key, Templates
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.resources import TEMPLATES
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests
from tradewind.plan.dags.compile import TemplateNotFound, define
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Find, Ref

ME: Key = ("DAG", "default", "me")
LOAD: dict[str, Any] = {"task": {"image": "x"}}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    server = ApiServer(crds=manifests(), token="t")
    await server.start()
    try:
        async with Client(Connection(server.url, authorization=lambda: "Bearer t")) as client:
            yield client
    finally:
        await server.stop()


async def put(client: Client, kind: str, name: str, spec: Any) -> dict[str, Any]:
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
    stored: dict[str, Any] = orjson.loads(await client.create(TEMPLATES[kind], "default", body))
    return stored


def using(*names: str, cluster: bool = False) -> dict[str, Any]:
    return {"tasks": {name: {"template": {"name": name, "cluster": cluster}} for name in names}}


def making(spec: Any) -> Any:
    def make(find: Find) -> Definition:
        return define(spec, find)

    return make


async def test_a_chain_is_read_link_by_link_and_every_link_counts(client: Client) -> None:
    templates = Templates(client)
    outer = await put(client, "TaskTemplate", "outer", {"task": {"template": {"name": "inner", "cluster": True}}})
    inner = await put(client, "ClusterTaskTemplate", "inner", LOAD)
    other = await put(client, "TaskTemplate", "other", LOAD)
    found = await templates.resolve(ME, making(using("outer")))
    assert found.result.tasks["outer"].image == "x"
    assert found.versions.keys() == {Ref("TaskTemplate", "outer"), Ref("ClusterTaskTemplate", "inner")}
    assert templates.seen(outer, deleted=False) == [ME] == templates.seen(inner, deleted=False)
    assert templates.seen(other, deleted=False) == []


async def test_a_template_that_is_not_there_is_waited_for(client: Client) -> None:
    templates = Templates(client)
    with pytest.raises(TemplateNotFound):
        await templates.resolve(ME, making(using("late")))
    assert templates.seen(await put(client, "TaskTemplate", "late", LOAD), deleted=False) == [ME]


async def test_a_change_of_status_concerns_nobody_and_a_deletion_does(client: Client) -> None:
    templates = Templates(client)
    load = await put(client, "TaskTemplate", "load", LOAD)
    await templates.resolve(ME, making(using("load")))
    assert templates.seen(load, deleted=False) == [ME]
    status = {"status": {"phase": "Valid"}}
    told = await client.patch(TEMPLATES["TaskTemplate"], "default", "load", status, "status")
    assert templates.seen(told, deleted=False) == []
    changed = await client.patch(TEMPLATES["TaskTemplate"], "default", "load", {"spec": {"description": "new"}})
    assert templates.seen(changed, deleted=False) == [ME]
    assert templates.seen(changed, deleted=True) == [ME]


async def test_who_uses_a_template_no_more_is_not_told(client: Client) -> None:
    templates = Templates(client)
    a, b = await put(client, "TaskTemplate", "a", LOAD), await put(client, "TaskTemplate", "b", LOAD)
    await templates.resolve(ME, making(using("a", "b")))
    await templates.resolve(ME, making(using("b")), exact=True)
    assert templates.seen(a, deleted=False) == [] and templates.seen(b, deleted=False) == [ME]
    templates.forget(ME)
    assert templates.seen(b, deleted=True) == []


async def test_a_change_while_templates_are_read_is_not_missed(client: Client) -> None:
    templates = Templates(client)
    load = await put(client, "TaskTemplate", "load", LOAD)
    told: list[Key] = []
    read = client.get

    async def get(*arguments: Any) -> Any:
        body = await read(*arguments)
        told.extend(templates.seen(load, deleted=False))  # the event arrives before the answer is processed
        return body

    client.get = get  # type: ignore[method-assign]
    await templates.resolve(ME, making(using("load")))
    assert told == [ME]


async def test_an_operator_of_some_namespaces_refuses_what_is_the_whole_clusters(client: Client) -> None:
    with pytest.raises(
        Invalid,
        match=r"spec\.tasks\.load\.template: ClusterTaskTemplate load can't be used: this operator works in some",
    ):
        await Templates(client, whole=False).resolve(ME, making(using("load", cluster=True)))
