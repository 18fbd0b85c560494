"""Messages about an API server that can't be reached, or is none: its address, plain words, and what to check."""

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import DAGS

PAGE = "<html>\n<head><title>502\n Bad Gateway</title></head><body><center>nginx</center></body></html>"


async def said(server: str) -> str:
    async with Client(Connection(server)) as client:
        with pytest.raises(ApiError) as told:
            await client.get(DAGS, "default", "d")
    assert told.value.message in str(told.value) and not str(told.value).endswith(": ")
    return told.value.message


async def test_a_server_that_is_not_there_is_told_by_its_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = f"nothing listens at http://127.0.0.1:{port}: is the cluster up, and is this its address?"
    assert await said(f"http://127.0.0.1:{port}/secret-token") == words
    assert "there is no host nowhere.invalid: check" in await said("https://nowhere.invalid:6443")


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (502, PAGE, "answered 502 Bad Gateway with a web page (502 Bad Gateway): is this an API server"),
        (200, PAGE, "an API server answers GET /apis/tradewind.dev/v1alpha1/namespaces/default/dags/d with JSON"),
        (500, "", "answered 500 Internal Server Error without a message"),
        (403, '{"kind": "Status"}', "answered 403 Forbidden without a message"),
        (404, "404 page not found\n", "answered 404 Not Found: 404 page not found"),
    ],
)
async def test_an_answer_that_is_none_of_an_api_server_is_told(status: int, text: str, words: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        found = await said(str(server.make_url("/")).rstrip("/"))
    assert words in found and "<" not in found and "\n" not in found


async def test_a_server_without_tls_is_told() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "does not speak TLS correctly" in await said(f"https://127.0.0.1:{port}")
