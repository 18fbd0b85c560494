"""`python -m hostile.web`: an attacker's web server, in its own process. The path selects the answer: `/json/deep`,
`/hang`. It reads requests as in RFC 9112 and Go (`Transfer-Encoding` overrides `Content-Length`), and records who has
sent what where."""

import asyncio
import contextlib
import gzip
import json
import random
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

KEPT = 50_000
"""Requests that are recorded."""
HOSTS = [f"127.0.0.{number}" for number in range(1, 9)]
BIG = 2**20


@dataclass
class Request:
    """A request as it was understood."""

    line: str
    head: str
    body: bytes

    @property
    def path(self) -> str:
        parts = self.line.split(" ")
        return parts[1] if len(parts) > 1 else ""


SEEN: deque[Request] = deque(maxlen=KEPT)
JSONS: dict[str, Callable[[], bytes]] = {
    "small": lambda: b'{"ok": true, "n": 3}',
    "deep": lambda: b"[" * 1_200 + b"]" * 1_200,
    "level255": lambda: b'{"a":' * 255 + b"1" + b"}" * 255,
    "level65": lambda: b"[" * 65 + b"]" * 65,
    "open": lambda: b"[" * 60_000,
    "openmaps": lambda: b'{"a":' * 60_000,
    "bigint": lambda: b'{"n": 100000000000000000000}',
    "hugeint": lambda: b'{"n": ' + b"9" * 5_000 + b"}",
    "negative": lambda: b'{"n": -9223372036854775809}',
    "float": lambda: b'{"n": 1e999}',
    "longfloat": lambda: b'{"n": 0.' + b"1" * 100_000 + b"}",
    "nan": lambda: b'{"n": NaN}',
    "surrogate": lambda: b'{"s": "\\ud800"}',
    "surrogatekey": lambda: b'{"\\udfff": 1}',
    "nul": lambda: b'{"s": "a\\u0000b"}',
    "escapes": lambda: json.dumps({"s": "\x1b[2J\x9b31m\u202e" * 100}).encode(),
    "latin": lambda: b'{"s": "\xff\xfe"}',
    "wide": lambda: json.dumps([{} for _ in range(200_000)]).encode(),
    "keys": lambda: json.dumps({f"k{number}": number for number in range(50_000)}).encode(),
    "same": lambda: b"{" + b",".join(b'"a": 1' for _ in range(100_000)) + b"}",
    "text": lambda: json.dumps("x" * BIG).encode(),
    "quote": lambda: b'"' + b"\\" * BIG,
    "spaces": lambda: b" " * BIG,
    "empty": lambda: b"",
    "bom": lambda: b"\xef\xbb\xbf{}",
    "utf16": lambda: '{"a": 1}'.encode("utf-16"),
    "random": lambda: random.Random(3).randbytes(10_000),
    "html": lambda: b"<html>" * 10_000,
}  # fmt: skip


@cache
def body(name: str) -> bytes:
    """An answer, built once: the bystander uses this server too."""
    return JSONS.get(name, JSONS["small"])()


@cache
def zipped() -> bytes:
    """Two hundred megabytes, packed."""
    return gzip.compress(b" " * 200_000_000, 1)


@cache
def listing(kind: str) -> bytes:
    """A bucket's listing."""
    begin = b'<?xml version="1.0"?><ListBucketResult>'
    one = b"<Contents><Key>k%d</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>e</ETag><Size>1</Size></Contents>"
    truncated = b"<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
    found = {
        "good": lambda: begin + b"".join(one % number for number in range(10)) + b"</ListBucketResult>",
        "many": lambda: begin + b"".join(one % number for number in range(20_000)) + b"</ListBucketResult>",
        "open": lambda: begin + b"<Contents>" * 100_000,
        "keys": lambda: begin + b"<Contents>" + b"<Key>" * 200_000,
        "unclosed": lambda: begin + b"<Contents><Key>" + b"a" * BIG,
        "errors": lambda: b"<Error>" + b"<Code>" * 100_000,
        "laughs": lambda: b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)) + b"]><ListBucketResult>&a11;</ListBucketResult>",
        "outside": lambda: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ListBucketResult><Contents><Key>&a;</Key></Contents></ListBucketResult>',
        "endless": lambda: begin + one % 1 + truncated + b"</ListBucketResult>",
        "deep": lambda: begin + b"<a>" * 200_000,
        "size": lambda: begin + b"<Contents><Key>k</Key><Size>" + b"9" * 100_000 + b"</Size><LastModified>9999999-99-99</LastModified></Contents></ListBucketResult>",
        "bytes": lambda: begin + b"<Contents><Key>\xff\xfe\x00</Key></Contents></ListBucketResult>",
    }.get(kind)  # fmt: skip
    return found() if found else b""


async def _answer(request: Request, writer: asyncio.StreamWriter) -> bool:
    """Answers; returns whether the connection stays open."""
    path = request.path.partition("?")[0].split("://")[-1]
    parts = [unquote(part) for part in path.split("/") if part and ":" not in part]
    what, more = (parts or [""])[0], [*parts, "", ""][1]
    if "list-type=2" in request.path:
        kind = request.path.partition("prefix=")[2].partition("&")[0]
        return _whole(writer, listing(kind), kind="application/xml", status=404 if kind == "errors" else 200)
    match what:
        case "fast":
            return _whole(writer, b'{"ok": true}')
        case "json":
            return _whole(writer, body(more))
        case "status":
            status = int(more) if more.isdigit() else 500
            return _whole(writer, b"\x1b]0;pwned\x07\x1b[2J" + b"no" * 40_000, status=status)
        case "hang":
            await asyncio.sleep(3_600)
        case "slow":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.5)
        case "huge":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
            while True:
                writer.write(b"1," * 65_536)
                await writer.drain()
        case "headers":
            writer.write(
                b"HTTP/1.1 200 OK\r\n"
                + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8_000) for number in range(1_000))
                + b"\r\n{}"
            )
        case "line":
            writer.write(b"HTTP/1.1 200 " + b"x" * BIG)
        case "nonsense":
            writer.write(random.Random(1).randbytes(100_000))
        case "redirect":
            writer.write(
                f"HTTP/1.1 302 Found\r\nLocation: /redirect/{random.getrandbits(40)}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            return True
        case "elsewhere":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
            return True
        case "zip":
            return _whole(writer, zipped(), encoding="gzip")
        case "chunks":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n{}")
        case "two":
            writer.write(
                b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"evil":1}'
            )
            return True
        case _:
            return _whole(writer, b'{"path": "other"}')
    await writer.drain()
    return False


def _whole(
    writer: asyncio.StreamWriter, body: bytes, kind: str = "application/json", status: int = 200, encoding: str = ""
) -> bool:
    more = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    writer.write(
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    return True


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, _, rest = head.partition("\r\n")
    names = {
        name.strip().lower(): value.strip()
        for name, _, value in (each.partition(":") for each in rest.split("\r\n"))
        if name
    }
    body = b""
    if "chunked" in names.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n")
    elif names.get("content-length", "").isdigit():
        body = await reader.readexactly(int(names["content-length"]))
    return Request(line, head, body)


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(Exception):
        while True:
            request = await _request(reader)
            SEEN.append(request)
            if not await _answer(request, writer):
                break
            await writer.drain()
    writer.close()


async def _control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Returns what has been seen since the last time: line, head and the beginning of each body."""
    await reader.readuntil(b"\r\n\r\n")
    data = json.dumps(
        [[each.line[:300], each.head[:4_000], each.body[:4_000].decode("latin-1")] for each in SEEN]
    ).encode()
    SEEN.clear()
    _whole(writer, data)
    await writer.drain()
    writer.close()


async def _serve() -> None:
    zipped()
    first = await asyncio.start_server(_connection, HOSTS[0], 0, limit=64 * 2**20)
    port = first.sockets[0].getsockname()[1]
    for host in HOSTS[1:]:
        await asyncio.start_server(_connection, host, port, limit=64 * 2**20)
    control = await asyncio.start_server(_control, HOSTS[0], 0)
    print(
        json.dumps(
            {"web": f"{HOSTS[0]}:{port}", "control": f"http://{HOSTS[0]}:{control.sockets[0].getsockname()[1]}"}
        ),
        flush=True,
    )
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
