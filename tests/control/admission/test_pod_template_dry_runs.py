"""The webhook asks the API server about the pods of podTemplates: by a dry run, which creates none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from tradewind.control.admission import cluster_lookup
from tradewind.control.admission.cluster_lookup import ApiClusterLookup
from tradewind.control.admission.handler import AdmissionReview, Request, admit
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Forbidden, NotFound, Unavailable
from tradewind.kube.resources import DAGS, PODS, Resource
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests

QUOTAS = Resource("/api/v1", "resourcequotas", "ResourceQuota")
Body = dict[str, Any]


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    server = ApiServer(crds=manifests(), token="t")
    await server.start()
    async with Client(Connection(server.url, authorization=lambda: "Bearer t")) as client:
        yield client
    await server.stop()


def tasks(**templates: Body) -> Body:
    return {"tasks": {name: {"image": "x", "podTemplate": template} for name, template in templates.items()}}


def mounts(volume: str) -> Body:
    return {"spec": {"containers": [{"name": "main", "volumeMounts": [{"name": volume, "mountPath": "/v"}]}]}}


async def said(client: Client, spec: Body, **options: Any) -> AdmissionReview:
    made = {"metadata": {"namespace": "default", "name": "d"}, "spec": spec}
    request = Request("some-uid", "DAG", "CREATE", "default", "d", {}, made)
    return await admit(request, ApiClusterLookup(client, **{"dry_run": True, **options}))


async def test_pods_of_local_dags_are_tried_too(client: Client) -> None:
    local = {"tasks": {"go": {"dag": {"local": "part"}}}, "dags": {"part": tasks(a=mounts("nowhere"))}}
    (problem,) = (await said(client, local)).problems
    assert problem.path == "spec.dags.part.tasks.a.podTemplate.spec.containers[0].volumeMounts[0].name"


async def test_what_the_server_refuses_is_told_with_the_task_and_the_field(client: Client) -> None:
    verdict = await said(client, tasks(a=mounts("nowhere"), b={"spec": {"priority": 1}}))
    [problem] = verdict.problems
    assert problem.path == "spec.tasks.a.podTemplate.spec.containers[0].volumeMounts[0].name"
    assert problem.what == 'the API server refuses this pod: Not found: "nowhere"' and not verdict.warnings


async def test_a_dry_run_makes_no_pod(client: Client) -> None:
    assert await said(client, tasks(a={"spec": {"priority": 1}})) == AdmissionReview([], [])
    assert (await client.list(PODS, "default"))["items"] == []


async def test_nothing_is_asked_without_the_right_to(client: Client) -> None:
    assert await said(client, tasks(a=mounts("nowhere")), dry_run=False) == AdmissionReview([], [])


async def test_a_pod_that_only_a_run_can_tell_is_not_tried(client: Client) -> None:
    assert await said(client, tasks(a=mounts("$[[ run.name ]]"))) == AdmissionReview([], [])


async def test_equal_templates_are_tried_once_and_of_many_a_few(client: Client, monkeypatch: Any) -> None:
    asked: list[Body] = []

    async def create(resource: Resource, namespace: str, body: bytes, **query: str) -> bytes:
        assert query == {"dryRun": "All", "fieldValidation": "Strict"}
        asked.append(orjson.loads(body))
        return body

    monkeypatch.setattr(client, "create", create)
    many = {f"t{at}": {"spec": {"priority": at}} for at in range(9)}
    equal = {f"e{at}": {"spec": {"priority": 0}} for at in range(900)}
    verdict = await said(client, tasks(**many, **equal))
    assert [pod["spec"]["priority"] for pod in asked] == list(range(cluster_lookup.PODS_ASKED))
    assert verdict.warnings == ["of 9 different podTemplates the first 5 were tried on the API server"]


async def test_a_full_quota_is_a_warning(client: Client) -> None:
    hard = {"hard": {"count/pods": "0"}}
    await client.create(
        QUOTAS,
        "default",
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": hard},
    )
    verdict = await said(client, tasks(a={"spec": {"priority": 1}}))
    assert not verdict.problems and "exceeded quota: q" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (Forbidden(403, "Forbidden", 'pods is forbidden: User "w" cannot create resource "pods"'), False),
        (Forbidden(403, "Forbidden", 'pods "p" is forbidden: error looking up: serviceaccount "s" not found'), False),
        (Unavailable(503, "ServiceUnavailable", "busy"), False),
        (NotFound(404, "NotFound", "namespaces not found"), False),
        (Forbidden(403, "Forbidden", 'pods "p" is forbidden: violates PodSecurity "restricted:latest"'), True),
    ],
)
async def test_what_can_be_mended_without_the_dag_is_a_warning(
    client: Client, monkeypatch: Any, error: Exception, refused: bool
) -> None:
    async def create(*_: Any, **__: Any) -> bytes:
        raise error

    monkeypatch.setattr(client, "create", create)
    verdict = await said(client, tasks(a={"spec": {"priority": 1}}))
    [words] = map(str, verdict.problems) if refused else verdict.warnings
    assert words.startswith("spec.tasks.a.podTemplate: ") and error.message in words  # type: ignore[attr-defined]
    assert bool(verdict.problems) == refused


async def test_a_server_that_does_not_answer_holds_nobody_up(client: Client, monkeypatch: Any) -> None:
    async def create(*_: Any, **__: Any) -> bytes:
        return await asyncio.Future()

    monkeypatch.setattr(client, "create", create)
    monkeypatch.setattr(cluster_lookup, "LOOKUP_SECONDS", 0.01)
    verdict = await said(client, tasks(a={"spec": {"priority": 1}}))
    assert verdict == AdmissionReview((), ["podTemplates were not tried: the API server did not answer in time"])


async def test_a_dag_that_many_runs_want_is_reviewed_anew_only_when_it_has_changed(client: Client) -> None:
    body = {
        "apiVersion": "tradewind.dev/v1alpha1", "kind": "DAG", "metadata": {"name": "d"},
        "spec": {"tasks": {"a": {"image": "x"}}},
    }  # fmt: skip
    await client.create(DAGS, "default", body)
    cluster = ApiClusterLookup(client, True)
    first = await cluster.dag("default", "d")
    assert await cluster.dag("default", "d") is first
    await client.patch(DAGS, "default", "d", {"spec": {"params": {"n": {}}}})
    assert set((await cluster.dag("default", "d")).params) == {"n"}
    with pytest.raises(NotFound):
        await cluster.dag("default", "e")
