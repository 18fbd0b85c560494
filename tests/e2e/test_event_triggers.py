"""Events over HTTP: each creates one run, however often it is sent and to which replica, if its sender may."""

import asyncio
import json
import random
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from control.certificates import write
from tradewind import API_VERSION, GROUP
from tradewind.cli.lint import command as lint
from tradewind.kube.client import Client
from tradewind.kube.errors import Invalid
from tradewind.kube.labels import HOW, TRIGGER
from tradewind.kube.resources import DAGS, RUNS, SECRETS, TRIGGERS, Resource
from worlds.endpoint import Endpoint, endpoint, signed
from worlds.world import Body, World, eventually, printed

TOKEN = "a token of the tests"
ROLES = Resource("/apis/rbac.authorization.k8s.io/v1", "roles", "Role")
BINDINGS = Resource("/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding")
ACCOUNTS = Resource("/api/v1", "serviceaccounts", "ServiceAccount")
ECHO = {"a": {"compute": {"region": "params.region"}}}
PARAMS = {"region": {"type": "string", "enum": ["north", "south"]}}
BY_TOKEN = {"authentication": {"token": {"secretRef": {"name": "sender", "key": "token"}}}}
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def trigger(name: str, dag: str, event: Body, **spec: Any) -> Body:
    spec = {"dag": dag, "params": {"region": "$[[ event.body.region ]]"}, "event": event, **spec}
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


def secret() -> Body:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sender"}, "stringData": {"token": TOKEN}}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return list(found["items"])


async def known(world: World, to: Endpoint, session: aiohttp.ClientSession, name: str, **headers: str) -> None:
    """Waits until an endpoint has seen a trigger: until then it answers 401 to everyone."""

    async def there() -> bool:
        return (await to.post(session, world.namespace, name, b"not JSON", **headers))[0] == 400

    await eventually(there)


@pytest.mark.timeout(300)
async def test_a_burst_makes_a_run_a_key_also_when_a_replica_is_killed_in_it(world: World) -> None:
    events = [{"id": f"order-{number}", "region": "north"} for number in range(800)]
    sent = events + [dict(event) for event in random.sample(events, 200)]
    random.shuffle(sent)
    answers: defaultdict[str, set[str]] = defaultdict(set)
    results: list[str] = []
    async with world.client() as client:
        await world.create(client, SECRETS, secret())
        await world.create(client, DAGS, world.dag("burst", ECHO, params=PARAMS))
        source = {**BY_TOKEN, "key": "event.body.id", "maxPerSecond": 1000}
        await world.create(client, TRIGGERS, trigger("burst", "burst", source))
        with endpoint(world) as first, endpoint(world) as second:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=40)) as session:
                for replica in (first, second):
                    await known(world, replica, session, "burst", **AUTHORIZED)

                async def send(body: Body) -> None:
                    """Sends as a Service does, to any replica that exists; again until it is accepted."""
                    for replica in random.sample([first, second], 2) * 100:
                        try:
                            code, answer = await replica.post(session, world.namespace, "burst", body, **AUTHORIZED)
                        except (aiohttp.ClientError, ConnectionError):
                            continue
                        if code == 202:
                            answers[body["id"]].add(answer["run"])
                            results.append(answer["result"])
                            if len(results) == 300:
                                first.process.kill()
                            return
                        assert code in (429, 503), answer
                        await asyncio.sleep(0.1)
                    raise AssertionError("never taken")

                await asyncio.gather(*map(send, sent))
        made = {run["metadata"]["name"]: run for run in await runs(world, client, "burst")}
        # The operator of later tests need not bring them all to an end.
        await asyncio.gather(*(client.delete(RUNS, world.namespace, name) for name in made))
    assert first.process.poll() is not None
    assert len(made) == len(answers) == 800 and len(results) == 1000
    assert all(len(names) == 1 for names in answers.values()), "the same key has the same answer"
    assert {name for names in answers.values() for name in names} == set(made)
    assert {run["spec"]["params"]["region"] for run in made.values()} == {"north"}
    assert {run["metadata"]["labels"][HOW] for run in made.values()} == {"event"}


async def test_the_cluster_says_who_may_post(operated: World) -> None:
    world = operated
    async with world.client() as client, aiohttp.ClientSession() as session:
        await world.create(
            client, DAGS, world.dag("orders", ECHO, params=PARAMS, outputs={"region": "tasks.a.outputs.region"})
        )
        event = {"authentication": {"kubernetes": {}}, "results": True}
        await world.create(client, TRIGGERS, trigger("orders", "orders", event, when='event.body.region != "west"'))
        tokens = {}
        for name in ("sender", "stranger"):
            await world.create(
                client, ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            )
            tokens[name] = await token(world, client, name, "tradewind-events")
        await granted(world, client, "sender")
        other = await token(world, client, "sender", "somewhere-else")
        with endpoint(world) as here:

            async def post(bearer: str, body: Any, to: str = "orders", query: str = "", **more: str) -> tuple[int, Any]:
                headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
                return await here.post(session, world.namespace, to, body, query, **headers, **more)

            await known(world, here, session, "orders", Authorization=f"Bearer {tokens['sender']}")
            code, answer = await post(tokens["sender"], {"region": "south"}, query="?wait=60s")
            assert (code, answer["result"], answer["phase"]) == (200, "created", "Succeeded"), answer
            assert answer["results"] == {"region": "south"}
            [run] = await runs(world, client, "orders")
            cause = run["metadata"]["annotations"]["tradewind.dev/cause"]
            assert cause == f"Event without a key, from system:serviceaccount:{world.namespace}:sender"
            code, answer = await post(tokens["sender"], {"region": "west"})
            assert (code, answer["result"]) == (200, "filtered") and len(await runs(world, client, "orders")) == 1
            for bearer in ("", "nonsense", other):
                code, answer = await post(bearer, {"region": "south"})
                assert (code, answer["reason"]) == (401, "unauthenticated")
                assert answer == (await post(bearer, {"region": "south"}, "nowhere"))[1], "a stranger learns nothing"
            code, answer = await post(tokens["stranger"], {"region": "south"})
            assert (code, answer["reason"]) == (403, "forbidden") and "`triggers/events`" in answer["message"]
            assert (await post(tokens["stranger"], {}, "nowhere"))[0] == 403
            assert (await post(tokens["sender"], {}, "elsewhere"))[0] == 404

            async def told() -> bool:
                status = (await client.get(TRIGGERS, world.namespace, "orders")).get("status") or {}
                return status.get("lastRun", {}).get("name") == run["metadata"]["name"] and status["phase"] == "Active"

            await eventually(told)
        shown = await asyncio.to_thread(printed, world, "get", "triggers")
        assert "orders" in shown and "event" in shown


async def test_signed_events_count_once_and_only_for_a_while(world: World) -> None:
    ref = {"name": "signer", "key": "secret"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signer"}, "stringData": {"secret": TOKEN}}
    async with world.client() as client, aiohttp.ClientSession() as session:
        await world.create(client, SECRETS, body)
        await world.create(client, DAGS, world.dag("signed", ECHO, params=PARAMS))
        source = {"authentication": {"hmac": {"secretRef": ref, "window": "1m"}}}
        await world.create(client, TRIGGERS, trigger("signed", "signed", source))
        data = b'{"region": "north"}'
        with endpoint(world) as here:
            await known(world, here, session, "signed", **signed(TOKEN, b"not JSON"))

            async def post(data: bytes, headers: dict[str, str]) -> tuple[int, Any]:
                return await here.post(session, world.namespace, "signed", data, **headers)

            right = signed(TOKEN, data)
            code, first = await post(data, right)
            assert (code, first["result"]) == (202, "created"), first
            code, again = await post(data, right)
            assert (code, again["result"], again["run"]) == (202, "duplicate", first["run"]), (
                "who repeats it, adds none"
            )
            keyed = signed(TOKEN, data, key="k")
            assert (await post(data, keyed))[1]["result"] == "created"
            assert (await post(data, {**keyed, "Idempotency_Key": "other"}))[0] == 401
            assert (await post(data + b" ", right))[0] == 401
            assert (await post(data, {}))[0] == 401
            code, answer = await post(data, signed("another secret than that", data))
            assert (code, answer["reason"]) == (401, "unauthenticated")
            code, answer = await post(data, signed(TOKEN, data, at=1_000_000))
            assert (code, answer["reason"]) == (401, "replayed") and "old; at most 1m are allowed" in answer["message"]
            assert len(await runs(world, client, "signed")) == 2


async def test_a_process_that_is_to_end_answers_over_tls_what_it_has_begun(world: World, tmp_path: Path) -> None:
    cert, key = write(tmp_path / "tls", timedelta(days=90), "127.0.0.1")
    source = {"authentication": {"token": {"secretRef": {"name": "ending", "key": "token"}}}, "results": True}
    async with world.client() as client, aiohttp.ClientSession() as session:
        await world.create(client, SECRETS, {**secret(), "metadata": {"name": "ending"}})
        await world.create(client, DAGS, world.dag("ending", {"a": {"wait": {"duration": "1h"}}}, params=PARAMS))
        await world.create(client, TRIGGERS, trigger("ending", "ending", source))
        with endpoint(world, "--cert", str(cert), "--key", str(key)) as here:
            await known(world, here, session, "ending", **AUTHORIZED)
            body = {"region": "north"}
            answer = asyncio.create_task(here.post(session, world.namespace, "ending", body, "?wait=5m", **AUTHORIZED))

            async def begun() -> bool:
                return len(await runs(world, client, "ending")) == 1

            await eventually(begun)
            here.process.terminate()
            code, told = await asyncio.wait_for(answer, 100)
            assert (code, told["result"]) == (202, "created")
            assert await asyncio.to_thread(here.process.wait, 30) == 0


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "spec.event.authentication: Required value"),
        ({"authentication": {}}, "write one of kubernetes, hmac and token"),
        (
            {"authentication": {"kubernetes": {}, "token": {"secretRef": {"name": "s", "key": "k"}}}},
            "write one of kubernetes, hmac and token",
        ),
        (
            {"authentication": {"hmac": {"secretRef": {"name": "s"}}}},
            "spec.event.authentication.hmac.secretRef.key: Required",
        ),
        (
            {"authentication": {"hmac": {"secretRef": {"name": "s", "key": "k"}, "header": "a b"}}},
            "spec.event.authentication.hmac.header: Invalid value",
        ),
        ({**BY_TOKEN, "maxPerSecond": 0}, "spec.event.maxPerSecond: Invalid value"),
    ],
)
async def test_the_api_server_refuses_what_no_endpoint_could_act_on(world: World, event: Body, words: str) -> None:
    async with world.client() as client:
        with pytest.raises(Invalid) as refused:
            await world.create(client, TRIGGERS, trigger("refused", "d", event))
        assert words in refused.value.message
        both = trigger("refused", "d", BY_TOKEN, schedule={"cron": "@daily"})
        with pytest.raises(Invalid, match="write one of schedule, event"):
            await world.create(client, TRIGGERS, both)


async def test_what_only_lint_and_operator_know_is_told_with_its_field(operated: World, tmp_path: Path) -> None:
    world = operated
    event = {**BY_TOKEN, "key": "event.body."}
    body = trigger("mistaken", "mistaken", event, when="event.typ == ''", params={"colour": "$[[ event.body.colour ]]"})
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("mistaken", ECHO, params=PARAMS))
        await world.create(client, TRIGGERS, body)

        async def told() -> str:
            status = (await client.get(TRIGGERS, world.namespace, "mistaken")).get("status") or {}
            return status.get("message", "") if status.get("phase") == "Invalid" else ""

        words = await eventually(told)
    assert "spec.event.key: `event.body.`" in words and "there is no 'event.typ'; there are trigger.name" in words
    assert "spec.params.colour: no such param; DAG mistaken declares: region" in words
    file = tmp_path / "trigger.yaml"
    file.write_text(json.dumps(body))
    linted = CliRunner().invoke(lint, [str(file)])
    assert linted.exit_code == 1 and "spec.event.key: `event.body.`" in linted.output
    assert "spec.when: `event.typ == ''`" in linted.output


async def token(world: World, client: Client, account: str, audience: str) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}}
    accounts = Resource("/api/v1", "serviceaccounts", "ServiceAccount")
    path = accounts.path(world.namespace, account, "token")
    made = await client._json("POST", "create", accounts, path, body=body)
    return str(made["status"]["token"])


async def granted(world: World, client: Client, account: str) -> None:
    rule = {"apiGroups": [GROUP], "resources": ["triggers/events"], "verbs": ["create"]}
    rules = [{**rule, "resourceNames": ["orders", "elsewhere"]}]
    meta = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": account}}
    await world.create(client, ROLES, {**meta, "kind": "Role", "rules": rules})
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": world.namespace}]
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    await world.create(client, BINDINGS, {**meta, "kind": "RoleBinding", "subjects": subjects, "roleRef": ref})
