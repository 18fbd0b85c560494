"""Whatever is sent to any route, no answer is an error of the server."""

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from tradewind.server.route import Form, Route
from tradewind.server.table import ROUTES

from server.guest import UNSAFE, Guest
from server.hostile import ALL
from server.test_rights import BODIES, path_of

TEXTS = [*(text[:2_000] for text in ALL), "", "0", "-1", "1e9", "null", "true", "..", ".", "a/b", "%2e%2e", "1" * 400]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    1e308,
    "",
    "x" * 5_000,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    ["x"],
    *TEXTS[:5],
]
RAW = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 5_000, b'{"params": NaN}', b"[" * 100_000, b'{"a":1,"a":2}']
ANSWERED = [route for route in ROUTES if route.form is not Form.STREAM]


async def status(there: Guest, method: str, path: str, **more: Any) -> int:
    headers = {**UNSAFE, "Content-Type": "application/json"} if method != "GET" else {}
    async with there.http.request(method, there.api + path, headers=headers, **more) as answer:
        text = await answer.text(errors="replace")
        assert answer.status < 500, (method, path[:200], answer.status, text[:500])
        if text and answer.status >= 400 and answer.content_type == "application/problem+json":
            assert json.loads(text)["detail"]
        return answer.status


async def test_paths(there: Guest) -> None:
    for route in ANSWERED:
        names = [
            name for name in ("namespace", "name", "run", "key", "attempt", "number") if f"{{{name}}}" in route.path
        ]
        usual = {"namespace": "a", "name": "etl-1", "run": "etl-1", "key": "work", "attempt": "1", "number": "1"}
        for name in names:
            for text in TEXTS:
                path = route.path.format(**{**usual, name: quote(text, safe="")})
                await status(there, route.method, path, data=json.dumps(BODIES.get(route.path, {})))


def _fields(route: Route) -> list[str]:
    return [*(route.query.model_json_schema().get("properties") or {}), "unknown"]


async def test_queries(there: Guest) -> None:
    for route in ANSWERED:
        path = path_of(route, "a").partition("?")[0]
        for name in _fields(route):
            for text in TEXTS:
                query = f"{path}?{quote(name)}={quote(text, safe='')}"
                found = await status(there, route.method, query, data=json.dumps(BODIES.get(route.path, {})))
                assert found != 200 or name != "unknown", query


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda route: route.path)
async def test_bodies(there: Guest, route: Route) -> None:
    assert route.body is not None
    preview = "?preview" if "preview" in route.query.model_fields else ""
    path = path_of(route, "a") + preview
    for raw in RAW:
        await status(there, route.method, path, data=raw)
    usual = BODIES[route.path]
    for name in [*(route.body.model_json_schema().get("properties") or {}), "unknown"]:
        for value in VALUES:
            await status(there, route.method, path, data=json.dumps({**usual, name: value}))
    shuffled = random.Random(1)
    for _ in range(50):
        body = {
            shuffled.choice(["action", "params", "inputs", "name", "approve"]): shuffled.choice(VALUES)
            for _ in range(3)
        }
        await status(there, route.method, path, data=json.dumps(body))


async def test_methods(there: Guest) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        assert await status(there, method, "runs") in (404, 405)
    assert await status(there, "POST", "runs", data="{}") in (404, 405)
    assert await status(there, "GET", "nothing") == 404
