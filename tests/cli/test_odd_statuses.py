"""Statuses that no operator has written: a command says that it can't read them, shows the rest, and never ends with a
traceback."""

import contextlib
import copy
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tradewind.cli import cancel, get, logs, retry, suspend
from tradewind.cli.describe import describe_run
from tradewind.cli.output.terminal import Console
from tradewind.cli.views.follow_run import looks
from tradewind.cli.views.run_rows import drawn
from tradewind.cli.views.waiting_tables import drawn as summary
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.connection import Connection
from tradewind.look.reading import StatusUnreadable
from tradewind.look.run_rows import as_data
from tradewind.look.waiting.summary import as_data as summed
from tradewind.look.waiting.survey import survey

from cli.scene import CountingClient, Scene, scene

CONNECTING = ("namespace", "kubeconfig", "context")
STAMP = "2026-01-01T00:00:00Z"
SAID = {"task": "b", "reason": "PoolFull", "message": "m", "attempt": 1}
GOOD: dict[str, Any] = {
    "phase": "Running",
    "progress": "1/4",
    "message": "m",
    "startedAt": STAMP,
    "finishedAt": STAMP,
    "duration": "1s",
    "params": {"p": ""},
    "results": {"r": 1},
    "outputs": {"a": {"o": 1}},
    "conditions": [{"type": "Started", "status": "True", "lastTransitionTime": STAMP, "reason": "R", "message": "m"}],
    "waiting": [SAID],
    "failures": [SAID],
    "skips": [{"task": "c", "message": "m"}],
    "attempts": "a 0+1\nb 0+1 =1 Error",
    "archive": "",
    "nodes": ["n"],
    "produced": [{"name": "x", "partition": "p", "at": STAMP, "metadata": {}, "task": "a"}],
    "retried": 0,
    "edited": 0,
    "revisionNumber": 1,
    "total": 4,
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["a 0+99999999999999999999", "a 99999999999999+1", "b ~Nope", "9999-99-99", STAMP]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["task", "reason", "message", "name", "x"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def has(value: Any, key: Any) -> bool:
    return key in value if isinstance(value, dict) else isinstance(value, list) and key in range(len(value))


def step(value: Any, key: Any) -> Any:
    return value[key] if has(value, key) else None


@st.composite
def weird(draw: st.DrawFn) -> Any:
    """A status with junk, or nothing, in some of its places."""
    status: Any = {"s": copy.deepcopy(GOOD)}
    for path in draw(st.lists(st.sampled_from(list(places(GOOD))), min_size=1, max_size=3)):
        where = status
        for key in ("s", *path)[:-1]:
            where = step(where, key)
        key = ("s", *path)[-1]
        if not has(where, key):
            continue
        if draw(st.booleans()):
            where[key] = draw(JUNK)
        elif isinstance(where, dict):
            where.pop(key, None)
    return status.get("s")


class Canned(CountingClient):
    """Returns the existing objects, with another status."""

    status: Any = None

    async def _request(self, method: str, verb: str, resource: Any, *rest: Any, **more: Any) -> bytes:
        answer = await super()._request(method, verb, resource, *rest, **more)
        if method != "GET" or resource.plural in ("pods", "controllerrevisions"):
            return answer
        body = orjson.loads(answer)
        for item in body.get("items", [body]):
            begun = (item.get("status") or {}).get("revision")
            item["status"] = self.status
            if begun and isinstance(self.status, dict):
                item["status"] = {"revision": begun, **self.status}
        return json.dumps(body).encode("utf-8", "surrogatepass")


@pytest.fixture
async def canned(tmp_path: Path) -> AsyncIterator[Canned]:
    async with scene(tmp_path) as here:
        await objects(here)
        server = here.client.connection.server
        async with Canned(Connection(server, authorization=lambda: "Bearer test")) as client:
            yield client


async def objects(here: Scene) -> None:
    tasks: dict[str, Any] = {
        "a": {},
        "b": {"pools": [{"name": "p"}]},
        "c": {"dependsOn": ["a"], "when": "tasks.a.outputs.o == 1"},
        "d": {"dependsOn": ["b"]},
    }
    await here.run("d-1", tasks, params={"p": {"default": ""}})


async def called(client: Canned, command: click.Command, *arguments: str) -> None:
    """A command as users write it; only the test chooses its connection."""
    with command.make_context(command.name, list(arguments)) as context:
        given = {name: value for name, value in context.params.items() if name not in CONNECTING}
        if command is logs.command:  # Those of a folder are read without a cluster.
            del given["data"]
            await logs._of_cluster.__wrapped__(client, "default", **given)  # type: ignore[attr-defined]
            return
        await command.callback.__wrapped__(client, "default", **given)  # type: ignore[union-attr]


async def views(client: Canned) -> None:
    """All functions that read runs, by the command that users call."""
    for output in ("text", "json"):
        await called(client, describe_run, "d-1", "-o", output)
        for kind in ("runs", "assets"):
            await called(client, get.command, kind, "-o", output)
    found = await survey(client, "default", None, Revisions(client), 0.0)
    Console().print(summary(found, "", "", 0.0, False))
    summed(found, 0.0)
    async for run, rows, _ in looks(client, "default", "d-1"):
        Console().print(drawn(run, rows))
        as_data(run, rows)
        break
    for command, *rest in (
        (retry.command, "d-1", "--dry-run"),
        (cancel.command, "d-1"),
        (suspend.resume, "d-1"),
        (logs.command, "d-1"),
    ):
        with contextlib.suppress(click.ClickException, StatusUnreadable):  # they may refuse with a message
            await called(client, command, *rest)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(status=weird())
async def test_every_view_bears_every_status(canned: Canned, status: Any) -> None:
    canned.status = status
    await views(canned)


async def test_a_status_that_cannot_be_read_is_said_and_the_rest_shown(
    canned: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    canned.status = {**GOOD, "attempts": "nonsense", "message": "the rest"}
    await called(canned, describe_run, "d-1")
    out = capsys.readouterr().out
    assert "can't be read" in out and "the rest" in out and "Traceback" not in out


async def test_a_good_status_is_shown_with_its_tasks(canned: Canned, capsys: pytest.CaptureFixture[str]) -> None:
    canned.status = GOOD
    await called(canned, describe_run, "d-1")
    out = capsys.readouterr().out
    assert "can't be read" not in out and "Critical path" in out and "Error" in out, out
