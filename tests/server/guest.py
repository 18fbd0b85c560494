"""A server of the web UI on an embedded API server, and a browser's requests to it. Every answer is checked against its model."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from tradewind.kube.client import Client
from tradewind.server.answers.base import ProblemAnswer
from tradewind.server.question import Service
from tradewind.server.route import Form, Route
from tradewind.server.serving import opened
from tradewind.server.table import ROUTES

UNSAFE = {"Sec-Fetch-Site": "same-origin", "X-Tradewind": "1"}


def route_of(method: str, path: str) -> Route | None:
    """The route of a request."""
    for route in ROUTES:
        pattern = re.sub(r"\{\w+\}", "[^/]+", route.path.replace(".", r"\."))
        if route.method == method and re.fullmatch(pattern, path.partition("?")[0]):
            return route
    return None


@dataclass
class Guest:
    """A user with a browser."""

    base: str
    token: str
    service: Service
    http: aiohttp.ClientSession

    @property
    def api(self) -> str:
        return f"{self.base}/api/v1/"

    async def sign_in(self) -> None:
        answer = await self.http.post(f"{self.api}session", json={"token": self.token}, headers=UNSAFE)
        assert answer.status == 204, await answer.text()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer, which is what its route promises."""
        given = {**(UNSAFE if method != "GET" else {}), **headers}
        async with self.http.request(
            method, self.api + path, headers=given, json=body if method != "GET" else None
        ) as answer:
            if answer.status >= 400:
                found = await answer.json(content_type="application/problem+json")
                ProblemAnswer.model_validate(found)
                assert found["status"] == answer.status and found["detail"]
                return answer.status, found
            route = route_of(method, path)
            assert route is not None, path
            if answer.status in (204, 304):
                return answer.status, None
            if route.form is not Form.JSON or route.answer is None:
                return answer.status, await answer.text()
            found = await answer.json()
            route.answer.model_validate(found)
            return answer.status, found

    async def get(self, path: str) -> Any:
        """The answer to a GET that must succeed."""
        status, found = await self.ask("GET", path)
        assert status == 200, found
        return found

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        """The answer to a POST that must succeed."""
        status, found = await self.ask("POST", path, body, **headers)
        assert status == 200, found
        return found


@contextlib.asynccontextmanager
async def guest(client: Client, sign_in: bool = True, **options: Any) -> AsyncIterator[Guest]:
    """A guest of a server that has the credentials of a client."""
    async with opened(client, **{"mode": "kubeconfig", **options}) as server:
        base, _, token = server.url.partition("/#token=")
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            made = Guest(base, token, server.service, http)
            if sign_in:
                await made.sign_in()
            yield made
