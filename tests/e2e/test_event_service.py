"""The event endpoint as installed by the chart: a task's service account posts through the Service, with the rights
from the documentation."""

import asyncio
import json
import secrets
from typing import Any

import pytest
from cluster.shell import ClusterError
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from worlds.real import real
from worlds.world import Body, World, eventually

from e2e.test_helm import helm

SEND = """
import json, os, urllib.error, urllib.request
token = os.environ.get("TOKEN") or open("/token/token").read()
headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": os.environ["KEY"]}
request = urllib.request.Request(os.environ["ADDRESS"], b'{"n": 7}', headers)
try:
    with urllib.request.urlopen(request, timeout=60) as response:
        found = {"code": response.status, **json.load(response)}
except urllib.error.HTTPError as error:
    found = {"code": error.code, **json.load(error)}
with open(os.environ["TRADEWIND_OUTPUTS"], "w") as file:
    json.dump({"code": found["code"], "result": found["result"], "run": found.get("run", "")}, file)
"""
TOKEN = "a token of the tests"


@pytest.mark.e2e
@pytest.mark.timeout(400)
async def test_an_account_posts_through_the_service_what_it_may(cluster: Any) -> None:
    cluster.load_image("operator")
    with real(cluster, f"events-{secrets.token_hex(2)}") as world:
        named = json.dumps([{"namespace": world.namespace, "names": ["till"]}])
        values = ["--set", "events.enabled=true", "--set-json", f"events.secrets={named}"]
        await asyncio.to_thread(helm, cluster, world, "install", "--take-ownership", *values)
        try:
            _confined(cluster, world)
            await _posted(cluster, world)
        finally:
            cluster.helm("uninstall", "tradewind", "-n", world.namespace, "--wait")


async def _posted(cluster: Any, world: World) -> None:
    def kubectl(*arguments: str) -> None:
        cluster.kubectl("-n", world.namespace, *arguments)

    for account in ("till", "stranger"):
        kubectl("create", "serviceaccount", account)
    kubectl("create", "secret", "generic", "till", f"--from-literal=token={TOKEN}")
    right = ("--verb=create", "--resource=triggers.tradewind.dev/events", "--resource-name=orders")
    kubectl("create", "role", "orders-sender", *right)
    kubectl("create", "rolebinding", "till", "--role=orders-sender", f"--serviceaccount={world.namespace}:till")
    async with world.client() as client:
        params = {"n": {"type": "integer"}}
        await world.create(client, DAGS, world.dag("ship", {"a": {"compute": {"n": "params.n"}}}, params=params))
        by_token = {"token": {"secretRef": {"name": "till", "key": "token"}}}
        for name, authentication in (("orders", {"kubernetes": {}}), ("parcels", by_token)):
            await world.create(client, TRIGGERS, _trigger(name, authentication))
        await world.create(client, DAGS, _sender(world))

        async def sent(account: str, trigger: str, key: str, token: str = "") -> Body:
            address = f"http://tradewind-events.{world.namespace}.svc/v1/events/{world.namespace}/{trigger}?wait=60s"
            name = await world.start(client, "send", account=account, address=address, key=key, token=token)
            status = await world.finished(client, name)
            assert status["phase"] == "Succeeded", status
            return dict(status["outputs"]["post"])

        first = await sent("till", "orders", "k")
        assert (first["code"], first["result"]) == (200, "created"), first
        again = await sent("till", "orders", "k")
        assert (again["result"], again["run"]) == ("duplicate", first["run"])
        assert (await sent("stranger", "orders", "k"))["code"] == 403
        known = await sent("stranger", "parcels", "k", TOKEN)
        assert (known["code"], known["result"]) == (200, "created")
        assert (await sent("till", "parcels", "k"))["code"] == 401
        await _told(world, client, first["run"])


async def _told(world: World, client: Client, name: str) -> None:
    run = await client.get(RUNS, world.namespace, name)
    assert run["spec"]["params"] == {"n": 7} and run["metadata"]["labels"][TRIGGER] == "orders"
    cause = run["metadata"]["annotations"]["tradewind.dev/cause"]
    assert cause == f"Event k, from system:serviceaccount:{world.namespace}:till"

    async def shown() -> bool:
        status = (await client.get(TRIGGERS, world.namespace, "orders")).get("status") or {}
        return (status.get("lastRun") or {}).get("name") == name

    await eventually(shown)


def _confined(cluster: Any, world: World) -> None:
    account = f"system:serviceaccount:{world.namespace}:tradewind-events"

    def may(*what: str, namespace: str = world.namespace) -> bool:
        try:
            return cluster.kubectl("auth", "can-i", *what, "-n", namespace, f"--as={account}").strip() == "yes"
        except ClusterError:
            return False

    assert may("create", "dagruns.tradewind.dev") and may("get", "secrets/till")
    assert may("create", "tokenreviews.authentication.k8s.io") and may("watch", "triggers.tradewind.dev")
    assert not any(
        may(*what)
        for what in [
            ("get", "secrets"),
            ("get", "secrets/other"),
            ("list", "secrets"),
            ("create", "pods"),
            ("delete", "dagruns.tradewind.dev"),
            ("patch", "triggers.tradewind.dev"),
            ("create", "dags.tradewind.dev"),
        ]
    )
    assert not may("create", "dagruns.tradewind.dev", namespace="default")


def _trigger(name: str, authentication: Body) -> Body:
    event = {"authentication": authentication, "results": True}
    spec = {"dag": "ship", "params": {"n": "$[[ event.body.n ]]"}, "event": event}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


def _sender(world: World) -> Body:
    """A DAG whose task posts an event, as the given account."""
    projected = {"sources": [{"serviceAccountToken": {"audience": "tradewind-events", "path": "token"}}]}
    template = {
        "spec": {
            "serviceAccountName": "$[[ params.account ]]",
            "volumes": [{"name": "token", "projected": projected}],
            "containers": [{"name": "main", "volumeMounts": [{"name": "token", "mountPath": "/token"}]}],
        }
    }
    names = ("account", "address", "key", "token")
    env = {name.upper(): f"$[[ params.{name} ]]" for name in names if name != "account"}
    task = {"script": {"python": SEND}, "env": env, "podTemplate": template}
    return world.dag("send", {"post": task}, params={name: {"type": "string"} for name in names})
