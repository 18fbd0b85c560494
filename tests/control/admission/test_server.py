"""The webhook as a process: AdmissionReviews over TLS, its limits, its probes and metrics, and its end."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
import yaml
from tradewind.cli.dev import kubeconfig
from tradewind.control.admission import server as webhook
from tradewind.control.admission.handler import AdmissionReview, ClusterLookup
from tradewind.control.admission.server import serve
from tradewind.control.dags.judgement import Judged
from tradewind.control.server.bounded_listener import Bounds
from tradewind.control.server.tls_certificate import Certificate, Terms, Unusable
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests
from worlds.world import eventually

from control.certificates import write

Body = dict[str, Any]


USUAL = Terms()


def review(spec: Body, kind: str = "DAG") -> Body:
    request = {
        "uid": "u", "kind": {"group": "tradewind.dev", "version": "v1alpha1", "kind": kind}, "operation": "CREATE",
        "namespace": "default", "name": "d", "userInfo": {"username": "ada"}, "object": {"metadata": {}, "spec": spec},
    }  # fmt: skip
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Process:
    """`tradewind webhook`."""

    def __init__(self, folder: Path, ends_in: timedelta, kubeconfig: Path) -> None:
        self.cert, self.key = write(folder / "tls", ends_in)
        self.port, self.probes = free_port(), free_port()
        self.log = folder / "log"
        command = [
            sys.executable, "-m", "tradewind.cli", "webhook", "--cert", self.cert, "--key", self.key, "--kubeconfig", kubeconfig,
            "--port", str(self.port), "--metrics-port", str(self.probes),
        ]  # fmt: skip
        with self.log.open("wb") as output:
            env = {**os.environ, "POD_NAME": "w", "POD_UID": "w-uid"}
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=env)

    async def post(self, data: Any) -> tuple[int, Any]:
        context = ssl.create_default_context(cafile=str(self.cert))
        body = {"data": data} if isinstance(data, bytes) else {"json": data}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"https://localhost:{self.port}/validate", ssl=context, **body) as answer,
        ):
            return answer.status, await answer.json() if answer.status == 200 else await answer.text()

    async def probe(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"http://localhost:{self.probes}/{path}") as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientError:
                assert self.process.poll() is None, self.log.read_text()
                return 0, ""


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Path]:
    """A kubeconfig of an API server."""
    embedded = ApiServer(crds=manifests(), token="t")
    await embedded.start()
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(embedded.url, "t")))
    yield path
    await embedded.stop()


@pytest.fixture
def process(tmp_path: Path, server: Path) -> Iterator[Process]:
    made = Process(tmp_path, timedelta(days=100), server)
    yield made
    made.process.kill()
    made.process.wait()


async def test_it_answers_reviews_tells_its_state_and_ends_at_once(process: Process) -> None:
    await eventually(lambda: _ready(process))
    code, good = await process.post(review({"tasks": {"a": {"image": "x"}}}))
    assert code == 200 and good["response"] == {"uid": "u", "allowed": True}
    _, bad = await process.post(review({"tasks": {"a": {}}}))
    assert bad["response"]["status"]["message"].startswith("spec.tasks.a.image: required")
    _, run = await process.post(review({"dag": "d"}, "DAGRun"))
    assert run["response"]["warnings"] == ["there is no DAG 'd' in namespace default: the run waits for it"]
    for junk in (b"{", b"[]", b'{"kind": "AdmissionReview"}'):
        code, words = await process.post(junk)
        assert code == 400 and words.startswith("not an AdmissionReview: ")
    assert (await process.probe("livez"), await process.probe("readyz")) == ((200, "ok"), (200, "ok"))
    _, metrics = await process.probe("metrics")
    assert 'tradewind_admission_requests_total{allowed="false",kind="DAG"} 1.0' in metrics
    assert 'tradewind_admission_requests_total{allowed="true",kind="DAGRun"} 1.0' in metrics
    assert "tradewind_leader" not in metrics, "it would look like an operator that does not lead"
    process.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.process.wait, 20) == 0


async def _ready(process: Process) -> bool:
    return (await process.probe("readyz"))[0] == 200


async def test_an_expired_certificate_is_told_by_readiness_metric_and_log(tmp_path: Path, server: Path) -> None:
    made = Process(tmp_path, timedelta(days=-1), server)
    try:

        async def told() -> tuple[int, str] | None:
            code, words = await made.probe("readyz")
            return (code, words) if code else None

        code, words = await eventually(told)
        assert code == 503 and "certificate expired on" in words
        assert "tradewind_webhook_certificate_expiry_timestamp_seconds" in (await made.probe("metrics"))[1]
        assert "WARNING" in made.log.read_text() and words in made.log.read_text()
        write(made.cert.parent, timedelta(days=100))
        await eventually(lambda: _ready(made))
    finally:
        made.process.kill()
        made.process.wait()


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    bounds: Bounds = webhook.BOUNDS,
    asks: Any = None,
    terms: Terms = USUAL,
    clients: tuple[str, ...] = (),
    token: Path | None = None,
) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    """The server in this process, and what a client trusts."""
    cert, key = write(folder / "tls", timedelta(days=1))
    context, port = Certificate(cert, key, lambda *_: None, terms=terms).context, free_port()
    async with serve(asks, port, context, bounds, clients, token):
        yield port, ssl.create_default_context(cafile=str(cert))


async def exchange(port: int, context: ssl.SSLContext, sent: bytes) -> bytes:
    """What comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(sent)
    await writer.drain()
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


HEAD = b"POST /validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(webhook, "READING", 0.1)
    async with serving(tmp_path) as (port, context):
        assert b" 408 " in await exchange(port, context, HEAD + b'Content-Length: 100\r\n\r\n{"kind":')


async def test_a_head_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path, replace(webhook.BOUNDS, idle=0.1)) as (port, context):
        assert await exchange(port, context, b"POST /valid") == b""


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(webhook, "REVIEW_BYTES_LIMIT", 1_000)
    async with serving(tmp_path) as (port, context):
        sent = HEAD + b"Content-Length: 2000\r\n\r\n" + b" " * 2_000
        assert b" 413 " in await exchange(port, context, sent)


async def test_an_error_of_our_own_is_left_to_the_failure_policy(tmp_path: Path, monkeypatch: Any) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(webhook, "admit", broken)
    async with (
        serving(tmp_path) as (port, context),
        aiohttp.ClientSession() as session,
        session.post(f"https://localhost:{port}/validate", json=review({}), ssl=context) as answer,
    ):
        assert answer.status == 500 and "a bug" not in await answer.text()


class Slow(ClusterLookup):
    """A cluster in which reviews of DAGs end when a test says so."""

    def __init__(self) -> None:
        self.begun, self.goes_on = list[str](), asyncio.Event()

    async def judge(self, namespace: str, spec: Any, of: Any) -> Judged[Any]:
        self.begun.append(namespace)
        await self.goes_on.wait()
        return Judged(content={})

    async def pods(self, namespace: str, pods: Any) -> AdmissionReview:
        return AdmissionReview()


async def posted(port: int, context: ssl.SSLContext, path: str, body: Body | bytes, namespace: str = "default") -> Any:
    """The status, and whether it was allowed."""
    if isinstance(body, dict):
        body = orjson.dumps({**body, "request": {**body["request"], "namespace": namespace}})
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"https://localhost:{port}{path}", data=body, ssl=context) as answer,
    ):
        return answer.status, (await answer.json())["response"] if answer.status == 200 else await answer.text()


LARGE = review({"tasks": {"a": {"image": "x", "args": ["x" * webhook.SMALL_REQUEST_BYTES]}}})
DECIDED = review({"run": "r", "task": "a", "decision": "Approved", "by": "eve"}, "Approval")


async def test_small_reviews_are_answered_while_large_ones_wait(tmp_path: Path) -> None:
    """Forty large DAGs of one namespace; small reviews, and a large DAG of another namespace."""
    asks = Slow()
    async with serving(tmp_path, asks=asks) as (port, context):
        loud = [asyncio.create_task(posted(port, context, "/validate", LARGE, "loud")) for _ in range(40)]
        await eventually(lambda: _is(len(asks.begun) == webhook.LARGE_AT_ONCE - 1))
        for path in ("/names", "/validate"):
            status, response = await posted(port, context, path, DECIDED)
            assert (status, response["allowed"]) == (200, False)
        quiet = asyncio.create_task(posted(port, context, "/validate", LARGE, "quiet"))
        await eventually(lambda: _is("quiet" in asks.begun))
        assert not any(task.done() for task in loud), "all of them still wait"
        asks.goes_on.set()
        assert (await quiet)[0] == 200 and [status for status, _ in await asyncio.gather(*loud)] == [200] * 40


async def _is(value: bool) -> bool:
    return value


SMALL = review({"tasks": {"a": {"image": "x"}}})


def refused(answer: Any) -> None:
    """The answer to a request whose namespace has sent too many."""
    status, response = answer
    assert (status, response["allowed"], response["status"]["code"]) == (200, False, 429)
    assert response["status"]["details"] == {"retryAfterSeconds": 1}
    words = "too many changes of namespace loud are being checked: send it again in 1 s, and fewer at once"
    assert response["status"]["message"] == words


@pytest.mark.parametrize("path", ["/validate", "/accounts"])
async def test_a_flood_of_one_namespace_is_refused_early_and_others_are_reviewed(tmp_path: Path, path: str) -> None:
    asks = Slow()
    async with serving(tmp_path, asks=asks) as (port, context):
        loud = [
            asyncio.create_task(posted(port, context, path, SMALL, "loud")) for _ in range(2 * webhook.SMALL_WAITING)
        ]
        await eventually(lambda: _is(sum(task.done() for task in loud) == webhook.SMALL_WAITING))
        for task in loud:
            if task.done():
                refused(task.result())
        assert len(asks.begun) == webhook.SMALL_AT_ONCE - 1
        quiet = asyncio.create_task(posted(port, context, path, SMALL, "quiet"))
        await eventually(lambda: _is("quiet" in asks.begun))
        asks.goes_on.set()
        answers = [await quiet, *await asyncio.gather(*loud)]
        assert sum(response["allowed"] for _, response in answers) == 1 + webhook.SMALL_WAITING


async def test_a_review_ends_before_the_api_server_gives_up(tmp_path: Path) -> None:
    asks = Slow()
    async with serving(tmp_path, asks=asks) as (port, context):
        assert (await posted(port, context, "/validate?timeout=1s", LARGE))[0] == 503
        asks.goes_on.set()
        assert (await posted(port, context, "/validate?timeout=1s", LARGE))[0] == 200, "its place is free again"


async def test_what_one_namespace_may_have_waiting_is_limited(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(webhook, "LARGE_WAITING", 100_000)
    asks = Slow()
    async with serving(tmp_path, asks=asks) as (port, context):
        first = asyncio.create_task(posted(port, context, "/validate", LARGE, "loud"))
        await eventually(lambda: _is(bool(asks.begun)))
        refused(await posted(port, context, "/validate", LARGE, "loud"))
        asks.goes_on.set()
        assert (await posted(port, context, "/validate", LARGE, "quiet"))[0] == 200 == (await first)[0]


@pytest.mark.parametrize("levels", [100, 1_200, 9_000])
async def test_an_object_that_is_nested_too_deep_is_refused(tmp_path: Path, levels: int) -> None:
    """An error would let it pass, by the failure policy."""
    deep = orjson.dumps(review({"tasks": {}, "params": {"p": {"default": "HERE"}}}))
    deep = deep.replace(b'"HERE"', b"[" * levels + b"]" * levels)
    async with serving(tmp_path) as (port, context):
        status, response = await posted(port, context, "/validate", deep)
    assert status == 200 and response["uid"] == "u" and not response["allowed"]
    assert "64 levels" in response["status"]["message"]


async def test_only_api_servers_are_answered_where_they_show_certificates(tmp_path: Path) -> None:
    known = write(tmp_path / "known", timedelta(days=1), common_name="kube-apiserver")
    other = write(tmp_path / "other", timedelta(days=1), common_name="kubelet")
    stranger = write(tmp_path / "stranger", timedelta(days=1), common_name="kube-apiserver")
    authorities = tmp_path / "clients.pem"
    authorities.write_bytes(known[0].read_bytes() + other[0].read_bytes())

    async with serving(tmp_path, terms=Terms(clients=authorities), clients=("kube-apiserver",)) as (port, context):
        for pair in (None, stranger):
            if pair:
                context.load_cert_chain(*pair)
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await posted(port, context, "/accounts", DECIDED)
        context.load_cert_chain(*other)
        assert (await posted(port, context, "/accounts", DECIDED))[0] == 403
        context.load_cert_chain(*known)
        assert (await posted(port, context, "/names", DECIDED))[0] == 200


async def test_only_who_knows_the_path_is_answered(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret1\n")
    async with serving(tmp_path, token=token) as (port, context):
        for path in ("/names", "/names/", "/names/secret", "/names/secret11", "/other/secret1", "/names/secret1/more"):
            assert (await posted(port, context, path, DECIDED))[0] == 404
        assert (await posted(port, context, "/names/secret1?timeout=5s", DECIDED))[0] == 200
        token.write_text("secret2")
        assert (await posted(port, context, "/names/secret1", DECIDED))[0] == 404
        assert (await posted(port, context, "/names/secret2", DECIDED))[0] == 200
        token.unlink()
        assert (await posted(port, context, "/names/secret2", DECIDED))[0] == 404
    async with serving(tmp_path) as (port, context):
        assert (await posted(port, context, "/names/secret2", DECIDED))[0] == 404


@pytest.mark.parametrize(
    ("terms", "maximum", "ciphers"),
    [
        (Terms(ssl.TLSVersion.TLSv1_3), ssl.TLSVersion.TLSv1_2, ""),
        (Terms(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"), ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ],
)
async def test_no_older_tls_is_spoken_than_asked_for(
    tmp_path: Path, terms: Terms, maximum: ssl.TLSVersion, ciphers: str
) -> None:
    async with serving(tmp_path, terms=terms) as (port, context):
        assert (await posted(port, context, "/names", DECIDED))[0] == 200
        context.maximum_version = maximum
        if ciphers:
            context.set_ciphers(ciphers)
        with pytest.raises(aiohttp.ClientError):
            await posted(port, context, "/names", DECIDED)


def test_terms_that_are_none_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        Terms(ciphers="ROT13").context()
    with pytest.raises(Unusable):
        Terms(clients=tmp_path / "absent").context()
