"""Answers of the event endpoint: to invalid events, to too many of them, to events that create no run, and when the API
server is away."""

import asyncio
import gzip
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from tradewind import API_VERSION
from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.control.event_endpoint import server as served
from tradewind.control.event_endpoint.authentication import SenderRejected, Senders
from tradewind.control.event_endpoint.intake import Reception
from tradewind.control.event_endpoint.routes import EventTriggers
from tradewind.control.event_endpoint.run_outcomes import RunWaiters
from tradewind.control.event_endpoint.server import Endpoint, Limits, serve
from tradewind.control.server.tls_certificate import EVENTS, Certificate
from tradewind.control.shared.task_groups import tasks
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.resources import DAGS, RUNS, SECRETS, TRIGGERS
from tradewind.local.apiserver import ApiServer, Fault
from tradewind.model.crd import manifests
from worlds.endpoint import free_port
from worlds.world import eventually

from control.certificates import write

Body = dict[str, Any]
TOKEN = "a token of the tests"
PARAMS = {"region": {"type": "string", "enum": ["north", "south"]}, "n": {"type": "integer", "default": 1}}
REF = {"name": "sender", "key": "token"}


@dataclass
class Scene:
    """An endpoint, and the API server that it uses, in this process."""

    server: ApiServer
    client: Client
    triggers: EventTriggers
    outcomes: RunWaiters
    session: aiohttp.ClientSession
    url: str = ""
    names: "itertools.count[int]" = field(default_factory=itertools.count)

    async def trigger(self, event: Body | None = None, dag: str = "d", **spec: Any) -> str:
        """A trigger that the endpoint knows."""
        name = f"t{next(self.names)}"
        event = {"authentication": {"token": {"secretRef": REF}}, **(event or {})}
        spec = {"dag": dag, "params": {"region": "$[[ event.body.region ]]"}, "event": event, **spec}
        await self.client.create(
            TRIGGERS,
            "default",
            {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec},
        )
        await eventually(lambda: self._knows(name))
        return name

    async def _knows(self, name: str) -> bool:
        return self.triggers.find("default", name) is not None

    async def post(self, trigger: str, body: Any, query: str = "", **headers: str) -> tuple[int, Body]:
        """Status and answer. Names of headers are written with `_` for `-`."""
        data = body if isinstance(body, bytes) or hasattr(body, "__aiter__") else orjson.dumps(body)
        sent = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        address = f"{self.url}/v1/events/default/{trigger}{query}"
        async with self.session.post(address, data=data, headers=sent) as response:
            self.headers = response.headers
            return response.status, await response.json()

    async def runs(self) -> list[Body]:
        return list((await self.client.list(RUNS, "default"))["items"])


@asynccontextmanager
async def at(limits: Limits, context: Any = None) -> AsyncIterator[Scene]:
    async with (
        ApiServer(crds=manifests()) as server,
        Client(Connection(server.url), 5) as client,
        aiohttp.ClientSession() as session,
    ):
        triggers, outcomes = EventTriggers(client, [None]), RunWaiters(client)
        dag = {"spec": {"defaults": {"image": "x"}, "params": PARAMS, "tasks": {"a": {"command": ["x"]}}}}
        await client.create(
            DAGS, "default", {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "d"}, **dag}
        )
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "sender"},
            "stringData": {"token": f"{TOKEN}\n"},
        }
        await client.create(SECRETS, "default", secret)
        port = free_port()
        endpoint = Endpoint(Reception(client, triggers, Senders(client, True)), outcomes, limits, Host(Evaluator()))
        async with (
            tasks([informer.run() for informer in triggers.informers]),
            serve(endpoint, port, context),
        ):
            yield Scene(
                server, client, triggers, outcomes, session, f"{'https' if context else 'http'}://127.0.0.1:{port}"
            )


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    async with at(Limits(size=4_096)) as made:
        yield made


async def test_an_event_makes_a_run_and_the_same_key_the_same_one(scene: Scene) -> None:
    name = await scene.trigger()
    code, first = await scene.post(name, {"region": "north"}, Idempotency_Key="k")
    assert (code, first["result"], first["namespace"]) == (202, "created", "default")
    code, again = await scene.post(name, {"region": "north"}, Idempotency_Key="k")
    assert (code, again["result"], again["run"]) == (202, "duplicate", first["run"])
    other = (await scene.post(name, {"region": "north"}, Idempotency_Key="l"))[1]["run"]
    own = [(await scene.post(name, {"region": "north"}))[1]["run"] for _ in range(2)]
    assert len({first["run"], other, *own}) == 4 == len(await scene.runs())


async def test_a_key_may_be_computed(scene: Scene) -> None:
    name = await scene.trigger({"key": 'string(event.body.id) + "/" + event.key'})
    sent = [
        ({"region": "north", "id": 1}, "a"),
        ({"region": "south", "id": 1}, "a"),
        ({"region": "south", "id": 2}, "a"),
    ]
    runs = [(await scene.post(name, body, Idempotency_Key=key))[1]["run"] for body, key in sent]
    assert runs[0] == runs[1] != runs[2]
    code, answer = await scene.post(name, {"region": "north"})
    assert code == 422 and "spec.event.key" in answer["message"]
    empty = await scene.trigger({"key": "event.body.id"})
    assert "neither a text nor an integer" in (await scene.post(empty, {"id": ""}))[1]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {
            "ce_specversion": "1.0",
            "ce_id": "1",
            "ce_source": "/mine%20s",
            "ce_type": "sold",
            "ce_time": "2026-01-31T06:00:00Z",
        },
        {"Content_Type": "application/cloudevents+json; charset=utf-8"},
    ],
)
async def test_cloud_events_are_understood_in_both_modes(scene: Scene, headers: dict[str, str]) -> None:
    params = {
        "region": '$[[ event.source == "/mine s" && event.time.startsWith("2026") ? event.body.region : event.source ]]'
    }
    name = await scene.trigger(when='event.type == "sold"', params=params)
    event = {"specversion": "1.0", "id": "1", "source": "/mine s", "type": "sold", "time": "2026-01-31T06:00:00Z"}
    data = {"region": "south"}
    body: Body = data if "ce_id" in headers else {**event, "data": data}
    answers = [await scene.post(name, body, **headers) for _ in range(2)]
    assert [(code, answer.get("result")) for code, answer in answers] == [(202, "created"), (202, "duplicate")], answers
    assert (await scene.runs())[0]["spec"]["params"] == {"region": "south"}


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"{", {}, "the body is not JSON"),
        (b"region=north", {}, "the body is not JSON"),
        (b"[" * 2_000 + b"]" * 2_000, {}, "the body is nested more than 64 levels deep"),
        (b"[" * 65 + b"]" * 65, {}, "is nested more than 64 levels deep"),
        (b'{"n": [18446744073709551616]}', {}, "the body.n[0] is an integer beyond 64 bits: send it as text"),
        (b'"\\ud800"', {}, "the body is not JSON"),
        (b"\xff", {}, "the body is not JSON"),
        ({}, {"ce_specversion": "0.3"}, "header ce-specversion: only CloudEvents 1.0"),
        ({}, {"ce_specversion": "1.0", "ce_id": "1"}, "header ce-source: required"),
        ([], {"Content_Type": "application/cloudevents+json"}, "a CloudEvent is a JSON object"),
        ([], {"Content_Type": "application/cloudevents-batch+json"}, "send each CloudEvent separately"),
        (
            {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "!"},
            {"Content_Type": "application/cloudevents+json"},
            "data_base64: no JSON in base64",
        ),
        (
            {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "soon"},
            {"Content_Type": "application/cloudevents+json"},
            "time: not a point in time",
        ),
    ],
)
async def test_what_is_no_event_is_explained(scene: Scene, body: Any, headers: dict[str, str], words: str) -> None:
    code, answer = await scene.post(await scene.trigger(), body, **headers)
    assert (code, answer["reason"]) == (400, "malformed") and words in answer["message"], answer
    assert await scene.runs() == []


async def test_a_body_over_the_limit_is_refused_whether_or_not_its_size_is_told(scene: Scene) -> None:
    name = await scene.trigger()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1_000

    for body in (b" " * 5_000, chunks()):
        code, answer = await scene.post(name, body)
        assert (code, answer["reason"]) == (413, "large") and "more than 4096 bytes" in answer["message"]
    code, answer = await scene.post(name, gzip.compress(b" " * 10**6), Content_Encoding="gzip")
    assert code == 415 and "send it as it is" in answer["message"]


async def test_a_slow_sender_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "READING", 0.05)
    name = await scene.trigger()
    never = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    code, answer = await scene.post(name, stalls())
    assert (code, answer["reason"]) == (408, "slow") and "did not arrive within" in answer["message"]


async def test_runs_of_a_trigger_that_enqueues_are_of_one_queue_in_the_order_of_their_events(scene: Scene) -> None:
    name = await scene.trigger({"concurrency": "Enqueue"})
    names = [(await scene.post(name, {"region": "north"}))[1]["run"] for _ in range(5)]
    made = {run["metadata"]["name"]: run["spec"] for run in await scene.runs()}
    assert {spec["queue"] for spec in made.values()} == {f"trigger-{name}"}
    dates = [made[run]["logicalDate"] for run in names]
    assert dates == sorted(dates) and len(set(dates)) == 5


async def test_a_filtered_event_makes_no_run_and_says_so(scene: Scene) -> None:
    name = await scene.trigger(when='event.headers["x-kind"] == "sale"')
    code, answer = await scene.post(name, {"region": "north"}, X_Kind="other")
    assert (code, answer["result"]) == (200, "filtered") and await scene.runs() == []
    assert (await scene.post(name, {"region": "north"}, X_Kind="sale"))[0] == 202


@pytest.mark.parametrize(
    ("spec", "body", "words"),
    [
        ({}, {"region": "west"}, "spec.params.region: 'west' is not allowed; write one of north, south"),
        ({}, {"area": "north"}, 'spec.params.region: Key not found in map : "region"'),
        ({}, b"", "spec.params.region: "),
        ({"when": "event.body.n > 1"}, {"n": "many"}, "spec.when: "),
        ({"params": {"region": "north", "n": "$[[ event.body ]]"}}, b"1.5", "spec.params.n: "),
    ],
)
async def test_an_event_of_which_no_run_can_be_made_names_the_field(
    scene: Scene, spec: Body, body: Any, words: str
) -> None:
    code, answer = await scene.post(await scene.trigger(**spec), body)
    assert (code, answer["reason"]) == (422, "unfit") and words in answer["message"], answer
    assert await scene.runs() == []


async def test_a_trigger_that_can_not_fire_takes_nothing(scene: Scene) -> None:
    undeclared = await scene.trigger(params={"region": "north", "colour": "$[[ event.type ]]"})
    code, answer = await scene.post(undeclared, {})
    assert (code, answer["reason"]) == (409, "unready") and "is invalid" in answer["message"]
    code, answer = await scene.post(await scene.trigger(dag="elsewhere"), {"region": "north"})
    assert (code, answer["reason"]) == (409, "unready") and "no DAG yet ('elsewhere')" in answer["message"]
    code, answer = await scene.post(await scene.trigger(suspend=True), {"region": "north"})
    assert (code, answer["reason"]) == (409, "suspended")
    assert await scene.runs() == []


async def test_credentials_are_compared_whole_and_a_missing_or_short_secret_lets_nobody_in(scene: Scene) -> None:
    name = await scene.trigger()
    for given in ("", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xff"):
        assert (await scene.post(name, {}, Authorization=given))[0] == 401
    assert scene.headers["WWW-Authenticate"] == "Bearer"
    short = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "short"}, "stringData": {"token": "x"}}
    await scene.client.create(SECRETS, "default", short)
    for ref in (
        {"name": "nowhere", "key": "token"},
        {"name": "sender", "key": "other"},
        {"name": "short", "key": "token"},
    ):
        other = await scene.trigger({"authentication": {"token": {"secretRef": ref}}})
        for given in ("", "Bearer ", "Bearer x", f"Bearer {TOKEN}"):
            assert (await scene.post(other, {}, Authorization=given))[0] == 401


async def test_what_is_no_name_of_a_trigger_is_looked_at_no_further(scene: Scene) -> None:
    for path in ("default/Up", "default/a%0Ab", "default", "default/a/b", "de%2Ffault/a", f"{'n' * 64}/a"):
        async with scene.session.post(f"{scene.url}/v1/events/{path}") as response:
            assert response.status == 404
    async with scene.session.get(f"{scene.url}/v1/events/default/a") as response:
        assert response.status == 405


async def test_the_api_server_is_asked_once_for_all_who_send_at_once(scene: Scene) -> None:
    name = await scene.trigger()
    codes = [code for code, _ in await asyncio.gather(*(scene.post(name, {"region": "north"}) for _ in range(30)))]
    assert codes == [202] * 30
    assert [asked[0] for asked in scene.server.audit if asked[1:3] == ("secrets", "")] == ["create", "get"]


async def test_guesses_do_not_keep_the_api_server_busy_and_known_senders_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.control.event_endpoint.authentication.ASKED", (0.001, 5.0))
    async with at(Limits()) as scene:
        name = await scene.trigger(when="false")
        assert (await scene.post(name, {}))[0] == 200
        codes = [(await scene.post("nowhere", {}, Authorization=f"Bearer {guess}"))[0] for guess in range(10)]
        assert codes == [401] * 5 + [429] * 5
        assert (await scene.post(name, {}))[0] == 200
        assert len([asked for asked in scene.server.audit if asked[1] == "tokenreviews"]) == 5


async def test_of_a_signature_of_the_body_alone_no_header_makes_another_event(scene: Scene) -> None:
    hmac = {"secretRef": REF, "covers": "Body", "header": "X-Hub-Signature-256"}
    name = await scene.trigger({"authentication": {"hmac": hmac}})
    import hashlib
    import hmac as library

    data = b'{"region": "north"}'
    right = "sha256=" + library.new(TOKEN.encode(), data, hashlib.sha256).hexdigest()
    runs = [
        (await scene.post(name, data, X_Hub_Signature_256=right, Idempotency_Key=key))[1].get("run") for key in "ab"
    ]
    assert runs[0] and runs[0] == runs[1]
    assert (await scene.post(name, data, X_Hub_Signature_256="sha256=0"))[0] == 401
    code, answer = await scene.post(name, data, X_Hub_Signature_256=right, ce_specversion="1.0")
    assert code == 400 and "a signature does not cover the headers" in answer["message"]


async def test_a_trigger_takes_so_many_a_second_and_says_when_to_come_again(scene: Scene) -> None:
    name = await scene.trigger({"maxPerSecond": 1}, when="false")
    codes = [(await scene.post(name, {}))[0] for _ in range(12)]
    assert codes[:10] == [200] * 10 and 429 in codes[10:]
    assert int(scene.headers["Retry-After"]) >= 1 or codes[-1] == 200


async def test_a_process_takes_so_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at(Limits(rate=1)) as scene:
        codes = [(await scene.post("nowhere", {}))[0] for _ in range(4)]
        assert codes[:2] == [401, 401] and 429 in codes[2:]
    monkeypatch.setattr(served, "MAX_PARALLEL_EVENTS", 0)
    async with at(Limits()) as scene:
        code, answer = await scene.post("nowhere", {})
        assert (code, answer["reason"], scene.headers["Retry-After"]) == (503, "busy", "1")


async def test_who_shows_no_credentials_uses_up_the_rate_of_nobody_who_does() -> None:
    async with at(Limits(rate=1)) as scene:
        name = await scene.trigger(when="false")
        codes = [(await scene.post("nowhere", {}))[0] for _ in range(4)]
        codes += [(await scene.post(name, {}, Authorization=""))[0] for _ in range(4)]
        assert set(codes) == {401, 429}
        assert (await scene.post(name, {}))[0] == 200


async def test_the_rate_of_a_namespace_is_its_own() -> None:
    endpoint = Endpoint(None, None, Limits(rate=1), None)  # type: ignore[arg-type]
    with pytest.raises(SenderRejected, match="too many requests"):
        for _ in range(4):
            endpoint._spend("a")
    endpoint._spend("b")


async def test_guesses_at_triggers_that_are_not_there_refuse_no_token_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tradewind.control.event_endpoint.authentication.ASKED", (0.001, 5.0))
    async with at(Limits()) as scene:
        name = await scene.trigger({"authentication": {"kubernetes": {}}})
        codes = [(await scene.post("nowhere", {}, Authorization=f"Bearer {guess}"))[0] for guess in range(10)]
        assert 429 in codes
        assert (await scene.post(name, {}, Authorization="Bearer another"))[0] == 401


async def test_a_namespace_waits_for_its_runs_whatever_another_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.control.event_endpoint.run_outcomes.WAITERS_LIMIT", 4)

    class Runs:
        async def get(self, resource: Any, namespace: str, name: str) -> Body:
            return {"status": {"phase": "Succeeded" if namespace == "b" else "Running"}}

    outcomes = RunWaiters(Runs())  # type: ignore[arg-type]
    others = [asyncio.create_task(outcomes.of("a", "r", 60)) for _ in range(5)]
    await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
    assert [other.done() for other in others] == [False] * 4 + [True], "there are four places"
    ended = await outcomes.of("b", "r", 60)
    assert ended and ended.phase == "Succeeded"
    assert await others[0] is None, "the oldest gave its place up"
    assert not any(other.done() for other in others[1:4])
    outcomes.closing.set()
    await asyncio.gather(*others)


@pytest.mark.parametrize("after", [False, True])
async def test_an_answer_that_the_api_server_owes_is_asked_for_again_under_the_same_name(
    scene: Scene, after: bool
) -> None:
    name = await scene.trigger()
    scene.server.faults.add(Fault("error", verb="create", resource="dagruns", code=500, after=after, times=2))
    code, answer = await scene.post(name, {"region": "north"})
    assert (code, answer["result"]) == (202, "created")
    assert [run["metadata"]["name"] for run in await scene.runs()] == [answer["run"]]


async def test_nothing_is_taken_while_the_api_server_is_away_and_the_same_key_is_taken_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.control.event_endpoint.intake.RETRY_DELAYS", (0.01,))
    name = await scene.trigger()
    fault = scene.server.faults.add(
        Fault("error", verb="create", resource="dagruns", code=503, retry_after=7, times=None)
    )
    code, answer = await scene.post(name, {"region": "north"}, Idempotency_Key="k")
    assert (code, answer["reason"], scene.headers["Retry-After"]) == (503, "unavailable", "7")
    assert await scene.runs() == []
    fault.times = 0
    assert (await scene.post(name, {"region": "north"}, Idempotency_Key="k"))[0] == 202
    other = await scene.trigger({"authentication": {"token": {"secretRef": {"name": "unread", "key": "token"}}}})
    scene.server.faults.add(Fault("error", verb="get", resource="secrets", code=403))
    code, answer = await scene.post(other, {"region": "north"})
    assert (code, answer["reason"]) == (503, "unavailable") and "the event was not accepted" in answer["message"]


async def test_only_senders_that_may_know_wait_for_results(scene: Scene) -> None:
    curious = await scene.trigger()
    code, answer = await scene.post(curious, {"region": "north"}, "?wait=1m")
    assert code == 202 and "spec.event.results is not true" in answer["message"]
    for wait in ("soon", "1h"):
        code, answer = await scene.post(curious, {"region": "north"}, f"?wait={wait}")
        assert code == 400 and answer["message"].startswith("wait: ")
    name = await scene.trigger({"results": True})
    code, answer = await scene.post(name, {"region": "north"}, "?wait=50ms")
    assert code == 202 and "phase" not in answer
    waiting = asyncio.create_task(scene.post(name, {"region": "north"}, "?wait=1m", Idempotency_Key="k"))
    [run] = await eventually(lambda: _other(scene, {answer["run"]}, name))
    status = {"phase": "Failed", "message": "why", "results": {}}
    await scene.client.patch(RUNS, "default", run, {"status": status}, "status")
    code, answer = await waiting
    assert (code, answer["phase"], answer["message"], answer["results"]) == (200, "Failed", "why", {})
    waiting = asyncio.create_task(scene.post(name, {"region": "north"}, "?wait=1m", Idempotency_Key="l"))
    await eventually(lambda: _other(scene, {answer["run"]}, name))
    scene.outcomes.closing.set()
    assert (await waiting)[0] == 202, "a process that ends lets nobody wait"


async def _other(scene: Scene, names: set[str], trigger: str) -> list[str]:
    made = [run["metadata"]["name"] for run in await scene.runs()]
    return [name for name in made if name.startswith(f"{trigger}-") and name not in names][-1:]


@pytest.mark.parametrize("finalizers", [[], ["example.com/keeps"]])
async def test_what_is_deleted_or_changed_is_known_a_moment_later(scene: Scene, finalizers: list[str]) -> None:
    name = await scene.trigger()
    await scene.client.patch(TRIGGERS, "default", name, {"metadata": {"finalizers": finalizers}})
    await scene.client.patch(TRIGGERS, "default", name, {"spec": {"suspend": True}})

    async def suspended() -> bool:
        return (await scene.post(name, {"region": "north"}))[0] == 409

    await eventually(suspended)
    await scene.client.delete(TRIGGERS, "default", name)

    async def gone() -> bool:
        return (await scene.post(name, {"region": "north"}))[0] == 401

    await eventually(gone)


async def test_events_come_over_tls(tmp_path: Path) -> None:
    cert, key = write(tmp_path / "tls", timedelta(days=90), "127.0.0.1")
    certificate = Certificate(cert, key, lambda *_: None, use=EVENTS)
    async with at(Limits(), certificate.context) as scene:
        scene.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
        async with scene.session:
            assert (await scene.post(await scene.trigger(), {"region": "north"}))[0] == 202
