"""Reads from a cluster everything that the doctor checks. What can't be read becomes Unknown."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson

from tradewind import API_VERSION, GROUP
from tradewind.control.dags.revisions import Revisions
from tradewind.control.manager.manager import Options
from tradewind.control.shared.access_review import i_may, may
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Forbidden, Invalid, NotFound
from tradewind.kube.pages import items
from tradewind.kube.resources import BACKFILLS, DAGS, LEASES, PODS, SELF, TEMPLATES, TRIGGERS, Resource
from tradewind.look.doctor.facts import EVENTS, MINE, NAME, OPERATOR, OPERATORS, WEBHOOK, Facts, Right, Unknown
from tradewind.look.doctor.leases import LATE
from tradewind.look.doctor.operators import operator_of, operators, serving
from tradewind.look.explained import explained
from tradewind.look.reading import status as status_of
from tradewind.look.waiting.survey import survey

T = TypeVar("T")
VERSION = Resource("", "version", "", namespaced=False)
CRDS = Resource(
    "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
DEPLOYMENTS = Resource("/apis/apps/v1", "deployments", "Deployment")
WEBHOOKS = Resource(
    "/apis/admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
SLICES = Resource("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice")
CIRCLE = {
    "defaults": {"image": "x"},
    "tasks": {name: {"dependsOn": [other]} for name, other in (("a", "b"), ("b", "a"))},
}
"""A spec that the CRD accepts and the webhook refuses."""

JUDGED = (DAGS, TRIGGERS, BACKFILLS, *TEMPLATES.values())
"""Kinds whose objects the operator finds valid or invalid."""
PAGE = 500
WATCHED = 5.0
"""Seconds for which old-looking Leases are watched."""
OUTSIDE = Options().lease_namespace
"""The Lease's namespace of an operator that runs outside a namespace, such as that of `tradewind dev`."""


async def gather(
    client: Client, namespace: str, everywhere: bool, home: str | None, told: Callable[[str], None]
) -> Facts:
    """Reads all facts. `home` is the namespace where the operator is installed, if known; `told` is called with the
    name of each step. Raises ApiError if the server does not answer at all."""
    told("the API server")
    version = await client.list(VERSION)
    facts = Facts("" if everywhere else namespace, time.time(), version, home or "")
    facts.server_time = await fact(_server_time(client))
    facts.now = time.time()
    told("what is installed")
    where = {"labelSelector": f"{NAME} in ({OPERATOR},{WEBHOOK},{EVENTS})"}
    facts.crds, facts.deployments, facts.pods, facts.webhooks = await asyncio.gather(
        fact(_crds(client)),
        fact(_items(client, DEPLOYMENTS, home, **where)),
        fact(_items(client, PODS, home, **where)),
        fact(_webhooks(client)),
    )
    homes = {operator.lease_namespace for operator in operators(facts.deployments)} | ({home} if home else set())
    if not home:
        homes |= {namespace} if serving(facts) else {namespace, OUTSIDE}
    await _look_at_leases(client, facts, sorted(filter(None, homes)))
    facts.answering = await fact(_answering(client, _known(facts.webhooks)))
    told("rights")
    facts.refused = await fact(_webhook_answer(client, namespace))
    facts.mine = await fact(_mine(client, facts.namespace))
    facts.operators = await fact(_operators(client, facts))
    where_asked = None if everywhere else namespace
    told("objects")
    facts.invalid = await fact(_invalid(client, where_asked))
    told("runs")
    facts.runs = await fact(survey(client, where_asked, None, Revisions(client), time.time()))
    return facts


async def fact(work: Awaitable[T]) -> T | Unknown:
    """What was asked for, or why it is unknown."""
    try:
        return await work
    except NotFound as error:
        return Unknown("this API server has no such kind" if error.unknown_kind else error.message or str(error))
    except Forbidden as error:
        return Unknown(explained(error), "ask for this right, or let someone who has it run `tradewind doctor`")
    except ApiError as error:
        return Unknown(explained(error))
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"the answer can't be read: {error}")


async def _server_time(client: Client) -> float:
    answer = orjson.loads(await client.create(SELF, "", {"apiVersion": SELF.api_version, "kind": SELF.kind}))
    return datetime.fromisoformat(answer["metadata"]["creationTimestamp"]).timestamp()


async def _items(client: Client, resource: Resource, namespace: str | None, **query: str) -> Sequence[Object]:
    found = await client.list(resource, namespace, **query)
    return list(found["items"])


async def _look_at_leases(client: Client, facts: Facts, namespaces: Sequence[str]) -> None:
    """Reads the Leases, and old-looking ones twice: only that distinguishes a stopped operator from a wrong clock."""
    facts.leases = await fact(_each(client, LEASES, namespaces))
    facts.leases_after = time.time() - facts.now
    before = {_full_name(body): body["spec"].get("renewTime") for body in _known(facts.leases) if _late(facts, body)}
    if not before:
        return
    await asyncio.sleep(WATCHED)
    facts.leases = await fact(_each(client, LEASES, namespaces))
    facts.leases_after = time.time() - facts.now
    now = {_full_name(body): body["spec"].get("renewTime") for body in _known(facts.leases)}
    facts.renewing = frozenset(name for name in before.keys() & now.keys() if before[name] != now[name])


def _late(facts: Facts, lease: Mapping[str, Any]) -> bool:
    spec = lease.get("spec") or {}
    return bool(spec.get("holderIdentity") and spec.get("renewTime")) and abs(facts.age_of(lease)) > LATE


def _full_name(body: Mapping[str, Any]) -> str:
    return f"{_namespace(body)}/{body['metadata']['name']}"


async def _each(client: Client, resource: Resource, namespaces: Sequence[str]) -> Sequence[Object]:
    return [item for namespace in namespaces for item in await _items(client, resource, namespace)]


async def _crds(client: Client) -> Sequence[Object]:
    return [body for body in await _items(client, CRDS, None) if body["spec"]["group"] == GROUP]


async def _webhooks(client: Client) -> Sequence[Object]:
    found = await _items(client, WEBHOOKS, None)
    return [body for body in found if any(_ours(webhook) for webhook in body.get("webhooks") or ())]


def _ours(webhook: Mapping[str, Any]) -> bool:
    return str(webhook.get("name")).endswith(f".{GROUP}")


async def _answering(client: Client, webhooks: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    found = {}
    for service in (webhook["clientConfig"].get("service") for body in webhooks for webhook in body["webhooks"]):
        if not service:
            continue
        label = f"kubernetes.io/service-name={service['name']}"
        slices = await _items(client, SLICES, service["namespace"], labelSelector=label)
        ready = [
            end for body in slices for end in body.get("endpoints") or () if (end.get("conditions") or {}).get("ready")
        ]
        found[f"{service['namespace']}/{service['name']}"] = len(ready)
    return found


async def _webhook_answer(client: Client, namespace: str) -> str:
    body = {"apiVersion": API_VERSION, "kind": DAGS.kind, "metadata": {"generateName": "doctor-"}, "spec": CIRCLE}
    try:
        await client.create(DAGS, namespace, body, dryRun="All")
    except Invalid as error:
        return error.message
    return ""


async def _mine(client: Client, namespace: str) -> Mapping[Right, bool]:
    asked = [i_may(client, **_attributes(right, namespace)) for right in MINE]
    return dict(zip(MINE, await asyncio.gather(*asked), strict=True))


async def _operators(client: Client, facts: Facts) -> Mapping[str, Mapping[Right, bool]]:
    """The rights of the operators that serve the namespace."""
    found: dict[str, dict[Right, bool]] = {}
    for body in _known(facts.deployments):
        if body["metadata"]["labels"].get(NAME) != OPERATOR or not operator_of(body).serves(facts.namespace):
            continue
        operator = operator_of(body)
        account, home = body["spec"]["template"]["spec"].get("serviceAccountName") or "default", _namespace(body)
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"]
        user = {"username": f"system:serviceaccount:{home}:{account}", "groups": groups}
        allowed = found[operator.name] = dict.fromkeys(OPERATORS, True)
        for namespace in [facts.namespace] if facts.namespace else operator.watched or [""]:
            asked = [may(client, user, **_attributes(right, namespace)) for right in OPERATORS]
            for right, answer in zip(OPERATORS, await asyncio.gather(*asked), strict=True):
                allowed[right] = allowed[right] and answer
    return found


def _attributes(right: Right, namespace: str) -> dict[str, str]:
    resource, _, subresource = right.resource.partition("/")
    return {
        "namespace": namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
    }


async def _invalid(client: Client, where: str | None) -> Sequence[Object]:
    found = []
    for resource in JUDGED:
        async for item in items(client, resource, where if resource.namespaced else None, PAGE):
            body = orjson.loads(item)
            if status_of(body).get("phase") == "Invalid":
                found.append({"kind": resource.kind, **body})
    return found


def _namespace(body: Mapping[str, Any]) -> str:
    return str(body["metadata"].get("namespace") or "")


def _known(found: Sequence[Any] | Unknown) -> Sequence[Any]:
    return () if isinstance(found, Unknown) else found
