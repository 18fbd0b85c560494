"""Objects with any content, as after a hand-edit, or from another version's CRDs or a bug: no reader may crash, since a
crash in a watch affects everyone's runs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.manager.engine import Engine
from tradewind.control.pods.observation import observe
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import parse_pod
from tradewind.kube.resources import APPROVALS, BACKFILLS, CLUSTER_POOLS, DAGS, POOLS, TEMPLATES, TRIGGERS, Resource

from fuzz.garbage import NEST, tries
from fuzz.targets import definitions

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
WORDS = st.sampled_from(
    [
        "phase",
        "attempts",
        "archive",
        "nodes",
        "outputs",
        "waiting",
        "failures",
        "conditions",
        "task",
        "reason",
        "type",
        "status",
        "dag",
        "schedule",
        "cron",
        "tasks",
        "params",
        "slots",
        "revision",
        "progress",
        "total",
        "edited",
        "history",
        "start",
        "end",
        "ticks",
        "source",
        "every",
        "event",
        "completed",
        "assets",
        "sensor",
        "suspend",
        "desiredState",
    ]
) | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=12
)
MAPS = st.dictionaries(WORDS, JSON, max_size=6)
KINDS = [DAGS, POOLS, CLUSTER_POOLS, APPROVALS, TRIGGERS, BACKFILLS, *TEMPLATES.values()]


def played(test: Callable[[Engine], Awaitable[None]]) -> None:
    """Runs a test with an engine that reaches no server."""

    async def run() -> None:
        async with Client(Connection("http://127.0.0.1:1")) as client:
            await test(Engine(client, (), "x", "me"))

    asyncio.run(run())


def body_of(spec: Any, status: Any, kind: str = "", **meta: Any) -> dict[str, Any]:
    metadata = {"name": "n", "namespace": "default", "uid": "u", "resourceVersion": "7", "generation": 1, **meta}
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status}


@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: resource.plural)
@settings(max_examples=75, deadline=None)
@given(spec=MAPS, status=MAPS)
def test_what_watches_of_definitions_tell_is_taken(resource: Resource, spec: Any, status: Any) -> None:
    async def see(engine: Engine) -> None:
        body = body_of(spec, status, resource.kind)
        if not resource.namespaced:
            del body["metadata"]["namespace"]
        for kind in ("ADDED", "DELETED"):
            engine.definitions[resource].take(None, orjson.dumps({"type": kind, "object": body}))

    played(see)


@tries(30)
@given(NEST | (JSON | MAPS).map(orjson.dumps) | st.binary(max_size=20))
def test_one_object_hides_none_beside_it_from_the_engine(spec: bytes) -> None:
    definitions(spec)


@settings(max_examples=200, deadline=None)
@given(spec=MAPS, status=MAPS)
def test_runs_that_can_not_be_read_are_left_alone(spec: Any, status: Any) -> None:
    async def see(engine: Engine) -> None:
        raw = orjson.dumps(body_of({"dag": "d", **spec}, status))
        engine.runs.informer.take_event("ADDED", raw)
        engine.runs.informer.take_event("DELETED", raw)
        good = orjson.dumps(body_of({"dag": "d"}, {}, uid="good", name="good"))
        engine.runs.informer.take_event("ADDED", good)
        assert "good" in engine.runs.states

    played(see)


@settings(max_examples=200, deadline=None)
@given(status=MAPS, labels=st.dictionaries(WORDS, st.text(max_size=9), max_size=4), message=st.text(max_size=5_000))
def test_pods_with_any_status_labels_and_termination_message_are_understood(
    status: Any, labels: Any, message: str
) -> None:
    ended = {"name": "main", "state": {"terminated": {"exitCode": 0, "message": message}}}
    base = body_of({}, {"phase": "Succeeded", "containerStatuses": [ended]}, labels={RUN_UID: "u", **labels})
    assert observe(parse_pod(orjson.dumps(base))) is not None
    with contextlib.suppress(ValueError):  # the parser refuses what is not a pod, which the reflector expects
        observe(parse_pod(orjson.dumps({**base, "status": status})))
