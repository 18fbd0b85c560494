"""Every entry point for foreign bytes, as a function of bytes that checks the promised result. Tests pass generated
bytes, `make fuzz` those that reach new code."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner
from tradewind.cli import lint
from tradewind.control.admission.handler import (
    AdmissionReview,
    ClusterLookup,
    KnownDAG,
    Malformed,
    admit,
    answer,
    parse,
)
from tradewind.control.admission.server import REVIEWS
from tradewind.control.dagrun.informer import RunInformer
from tradewind.control.dags.judgement import Judged, judge
from tradewind.control.manager.engine import Engine
from tradewind.control.pods.observation import Ended, observe
from tradewind.control.triggers.object_watches import KindWatch as Followed
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.labels import ATTEMPT, RUN_UID, TASK
from tradewind.kube.object_informer import ObjectInformer
from tradewind.kube.pod import STORE, parse_pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import DAGS, PODS, Resource
from tradewind.model.event import Authentication, EventSource
from tradewind.model.object_change import ObjectChange
from tradewind.model.value import Output
from tradewind.plan.cel import compiler
from tradewind.plan.outcomes.attempt import FAILURES
from tradewind.plan.triggers.event import Unreadable, key_of
from tradewind.plan.triggers.event import read as read_event

from fuzz.runs import OF_RUN, planned, recorded

EVERY_POD = ObjectChange(api_version="v1", kind="Pod", changes=["Created"])
SOURCE = EventSource(authentication=Authentication())

Target = Callable[[bytes], None]


def manifest(data: bytes) -> None:
    """A file, as `tradewind lint` reads it: it is valid, or every problem has a place."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        for problem in linted(Path(file.name)):
            assert problem["message"] and problem["file"] == file.name


def linted(path: Path) -> list[dict[str, Any]]:
    """The problems that `tradewind lint` finds in a file."""
    result = CliRunner().invoke(lint.command, [str(path), "-o", "json"])
    if not isinstance(result.exception, SystemExit | None):
        raise AssertionError("a traceback") from result.exception
    found: list[dict[str, Any]] = json.loads(result.stdout)["problems"]
    assert result.exit_code == (1 if found else 0)
    return found


VARIABLES = (("params.a", "any"), ("params.n", "integer"), ("item", "any"), ("tasks.t.outputs", "object"))
VALUES = {"params.a": {"b": [1, "x", None]}, "params.n": 3, "item": "é", "tasks.t.outputs": {"rows": 7}}


def expression(data: bytes) -> None:
    """An expression: it returns a value, or an error that says what is wrong."""
    text = data.decode(errors="surrogateescape")
    try:
        compiler.run(compiler.compiled(text, VARIABLES, str), VALUES)
    except compiler.ExpressionError as error:
        assert error.problem


def told(line: bytes) -> None:
    """A line of a watch, for every kind of informer: valid lines after it are accepted."""
    reader = Client(Connection("http://127.0.0.1:1"))
    runs: list[str] = []
    informers: list[Reflector] = [
        PodInformer(reader, [None], lambda _: None, lambda _: True),
        RunInformer(reader, [None], lambda _: 0, lambda run, _: runs.append(run.name), lambda *_: None),
        ObjectInformer(reader, [None], DAGS, lambda *_: None),
        Followed(reader, PODS, "default", lambda: None, {"": EVERY_POD}),
    ]
    for informer in informers:
        meta = {"name": "good", "namespace": "default", "uid": "g", "resourceVersion": "99", "labels": {}}
        good = {"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dag": "d"}}
        with contextlib.suppress(ApiError):
            informer.take(None, line)
        informer.take(None, orjson.dumps({"type": "ADDED", "object": good}))
        assert informer._reached[None] == "99"
    assert runs[-1] == "good"


def definitions(data: bytes) -> None:
    """An object on a page of a list, and in a watch, of every kind that the engine follows: the ones next to it are
    reported."""

    def whole(resource: Resource, name: str, version: int) -> bytes:
        home = {"namespace": "default"} if resource.namespaced else {}
        meta = {"name": name, "uid": name, "resourceVersion": str(version), "generation": 1, **home}
        body = {"kind": resource.kind, "metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}
        return orjson.dumps(body)

    async def follow() -> None:
        async with Client(Connection("http://127.0.0.1:1")) as client:
            engine = Engine(client, (), "x", "me")
            for resource, informer in engine.definitions.items():
                odd = whole(resource, "odd", 7).replace(b'"spec":{}', b'"spec":' + data)
                with contextlib.suppress(ApiError):  # invalid JSON makes a page invalid too
                    page = b'{"metadata":{"resourceVersion":"9"},"items":[%s,%s]}'
                    informer.take_page(None, page % (odd, whole(resource, "beside", 8)))
                    informer.end_list(None, 9)
                    assert "beside" in {name for _, name in informer._versions}
                with contextlib.suppress(ApiError):
                    informer.take(None, b'{"type":"MODIFIED","object":%s}' % odd.replace(b'"7"', b'"10"'))
                informer.take(None, b'{"type":"ADDED","object":%s}' % whole(resource, "after", 11))
                assert "after" in {name for _, name in informer._versions}

    asyncio.run(follow())


DECLARED = {"rows": Output(type="integer"), "name": Output(type="string")}


def outputs(data: bytes) -> None:
    """A task's termination message, and that of a container for artifacts."""
    message = data.decode(errors="replace")
    ended = {"exitCode": 0, "message": message}
    main = {"name": "main", "state": {"terminated": ended}}
    for declared in ({}, DECLARED):
        for helper in ([], [{"name": STORE, "state": {"terminated": ended}}]):
            status = {"phase": "Succeeded", "containerStatuses": [main], "initContainerStatuses": helper}
            meta = {"name": "p", "labels": {RUN_UID: "u", TASK: "a", ATTEMPT: "1"}}
            seen = observe(parse_pod(orjson.dumps({"metadata": meta, "status": status})), declared=declared)
            assert isinstance(seen, Ended)
            assert not seen.attempt.reason or (seen.attempt.reason in FAILURES and seen.message and not seen.outputs)
            orjson.dumps(seen.outputs)
    recorded(orjson.dumps({"metadata": {**meta, **OF_RUN}, "status": status}))


class _Nothing(ClusterLookup):
    """An empty cluster."""

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        raise NotFound(404, "NotFound", "")

    async def judge(self, namespace: str, spec: Any, of: Any) -> Judged[Any]:
        judged = judge(spec, {}, of)
        return judge(spec, dict.fromkeys(judged.asked), of)

    async def pods(self, *_: Any) -> AdmissionReview:
        return AdmissionReview()

    async def may_use(self, *_: Any) -> bool:
        return False


def admission(data: bytes) -> None:
    """The body of a request of an API server, for both paths."""
    try:
        request = parse(orjson.loads(data))
    except (orjson.JSONDecodeError, Malformed):
        return
    for reviewers in REVIEWS.values():
        said = answer(request, asyncio.run(admit(request, _Nothing(), reviewers)))
        response = orjson.loads(orjson.dumps(said))["response"]
        assert response["uid"] == request.uid and isinstance(response["allowed"], bool)
        assert response["allowed"] or (response["status"]["code"] == 422 and response["status"]["message"])


def event(data: bytes) -> None:
    """An event: the first line its content type, then headers, an empty line and the body."""
    head, _, body = data.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()
    headers = {"content-type": lines[0] if lines else ""}
    headers |= {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    with contextlib.suppress(Unreadable):
        found = read_event(headers, body)
        with contextlib.suppress(compiler.ExpressionError):
            values = found.values(key_of(SOURCE, found, lambda text: text))
            orjson.dumps(values)


def status(data: bytes) -> None:
    """A run's attempts and what else its status says, as JSON or as lines."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        said = {"attempts": data.decode(errors="replace")}
    with contextlib.suppress(ValueError):
        planned(said)


TARGETS: dict[str, Target] = {
    "manifest": manifest,
    "expression": expression,
    "watch": told,
    "definitions": definitions,
    "outputs": outputs,
    "admission": admission,
    "event": event,
    "status": status,
}
