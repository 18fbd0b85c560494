"""HTTP requests that the operator sends for tenants, bounded in number, time and size, and kept away from addresses that only the
operator's host may reach."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import aiohttp
from yarl import URL

from tradewind.control.egress import failure_words
from tradewind.control.egress.dns_lookups import NAMESPACE, Lookups, Resolver
from tradewind.control.egress.policy import EgressPolicy, Network
from tradewind.control.egress.proxy import goes_direct, literal, trusting
from tradewind.control.evaluation.seats import Turns
from tradewind.model.bounded import NotJson, read_json
from tradewind.plan.capacity.seats import Seats
from tradewind.tasks.headers import first_unfit, secret
from tradewind.tasks.http import MOVED, REDIRECTS, expected

MAX_PARALLEL_REQUESTS = 64
"""Parallel requests of tasks; more wait. Polls of sensors have their own limit."""
SHARE = 16
"""Parallel requests of one namespace."""
LIMIT = 64 * 1024
"""Bytes of a response's body: it becomes part of the run's status."""
FORBIDDEN: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "::/128",
            "::1/128",
            "fe80::/10",
            "ff00::/8",
            "192.0.0.192/32",
            "240.0.0.0/4",
            "64:ff9b:1::/48",
            "fd00:42::42/128",
            "fd00:c1::a9fe:a9fe/128",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        ),
    )
)
"""The host itself, its neighbours on the link, and the metadata services of clouds, which trust every client that reaches them. Only a site
itself knows the targets of addresses that it translates locally (64:ff9b:1::/48)."""
EMBEDDING: tuple[Network, ...] = tuple(map(ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""IPv6 networks whose last 32 bits are an IPv4 address: NAT64 (RFC 6052), compatible (RFC 4291) and SIIT (RFC 2765) addresses."""


class Failed(Exception):
    """The request failed. The message says why and how to fix it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `expect_status` are the codes that count as success, every 2xx if empty; `timeout` is in seconds."""

    url: str
    method: str
    headers: Mapping[str, str]
    body: str
    expect_status: Sequence[int]
    timeout: float
    signed: bool = False
    """Whether the operator itself made and signed the URL and headers, which are then sent unchanged."""

    @property
    def redirected(self) -> bool:
        """Whether it may follow redirects. It may not if that would forward secrets."""
        return not self.signed and not secret(self.headers)

    @property
    def what(self) -> str:
        """The request for display, without secrets."""
        return f"{self.method} {_shown(self.url)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's response. `date` is the header of that name."""

    status: int
    body: bytes
    date: str


@dataclass(frozen=True, slots=True)
class _Hop:
    """One request in a chain of redirects."""

    url: URL
    method: str
    headers: Mapping[str, str]
    body: str

    def after(self, response: aiohttp.ClientResponse) -> "_Hop | None":
        """The next request after a response; None if there is none, or if it would be sent without TLS after one with TLS. Another server receives no headers, and no request with a body. Raises
        ValueError for an invalid address."""
        if response.status not in MOVED or not (location := response.headers.get("Location")):
            return None
        url = self.url.join(URL(location))
        if url.scheme not in ("http", "https") or (self.url.scheme, url.scheme) == ("https", "http"):
            return None
        method, body = self.method, self.body
        if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
            method, body = "GET", ""
        if url.origin() == self.url.origin():
            return _Hop(url, method, self.headers, body)
        return None if body else _Hop(url, method, {}, "")


class HttpClient:
    """Sends requests."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress = egress
        self.lookups = Lookups()
        self._turns = Turns(Seats(MAX_PARALLEL_REQUESTS, SHARE))
        self._session: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None

    async def send(
        self, request: Request, headers: Mapping[str, str], namespace: str, say: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """Sends a request and returns the outputs `status` and `body`. `headers` are the complete headers of the request, `namespace` is
        the run's. Namespaces take turns: `say` receives what the request waits for, and an empty text when it no longer waits. Raises
        Failed, and OutOfBounds for a response that can't be an output."""
        async with self._turns.seat(namespace, say):
            answer = await self.answer(request, headers, namespace)
        status, body = answer.status, answer.body
        if not expected(status, request.expect_status):
            wanted = ", ".join(map(str, request.expect_status)) or "2xx"
            words = f"{request.what}: answered {status}, wanted {wanted}"
            if status in MOVED and not request.redirected:
                words += " (a redirect is not followed by a request whose headers hold $(NAME): write the address that it leads to)"
            elif status in MOVED and request.body:
                words += " (a body is not sent on to another server: write the address that it leads to)"
            elif status in MOVED:
                words += " (a redirect is followed to http and https alone, and not from https to http)"
            raise Failed(f"{words}: {body[:300].decode(errors='replace')}")
        if len(body) > LIMIT:
            words = f"{request.what}: the response has more than {LIMIT // 1024} KiB"
            raise Failed(f"{words}: ask for less, or fetch it in a script that writes it to a volume")
        return content(answer)

    async def answer(self, request: Request, headers: Mapping[str, str], namespace: str, limit: int = LIMIT) -> Answer:
        """Sends a request and returns the response, whatever its status. A body longer than `limit` bytes is cut a little beyond that.
        Raises Failed if there is no response."""
        if not request.url.startswith(("http://", "https://")):
            raise Failed(f"not an http:// or https:// address: {request.url[:200]}")
        if not request.signed and (words := first_unfit(headers)):
            raise Failed(f"http.headers: {words}")
        what, timeout = request.what, min(request.timeout, self._egress.longest)
        try:
            async with asyncio.timeout(timeout):
                return await self._ask(request, headers, namespace, limit)
        except TimeoutError:
            whose = (
                "http.timeout" if timeout == request.timeout else "the longest that the operator waits for any server"
            )
            raise Failed(f"{what}: no answer within {timeout:g} s ({whose})") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Failed(f"{what}: {failure_words.words(error)}") from None

    async def close(self) -> None:
        """Closes all connections."""
        for session in (self._session, self._proxied):
            if session is not None:
                await session.close()

    async def _ask(self, request: Request, headers: Mapping[str, str], namespace: str, limit: int) -> Answer:
        NAMESPACE.set(namespace)
        hop = _Hop(self._address(request.url, namespace, request.signed), request.method, headers, request.body)
        for _ in range(REDIRECTS + 1):
            session, proxy = self._way(hop.url.host or "")
            async with session.request(
                hop.method,
                hop.url,
                headers=hop.headers,
                data=hop.body.encode() or None,
                allow_redirects=False,
                proxy=proxy,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                after = hop.after(response) if request.redirected else None
                if after is None:
                    return Answer(response.status, await _read(response, limit), response.headers.get("Date", ""))
            hop = replace(after, url=self._address(str(after.url), namespace))
        raise Failed(f"{request.what}: more than {REDIRECTS} redirects")

    def _way(self, host: str) -> tuple[aiohttp.ClientSession, str | None]:
        """The session for a host, and the proxy. A proxy resolves names itself, so only an address in the request's URL can be checked
        here. Raises OSError for a forbidden address."""
        egress = self._egress
        if not egress.proxy or goes_direct(host, egress.direct):
            if self._session is None:
                # Resolved here: in the connector's cache, requests would wait for look-ups of other namespaces.
                own = {"use_dns_cache": False, "resolver": Resolver(self.lookups), "socket_factory": self._socket}
                self._session = self._open_session(**own)
            return self._session, None
        if (address := literal(host)) and (words := refusal(str(address), egress)):
            raise OSError(words)
        if self._proxied is None:
            self._proxied = self._open_session()
        return self._proxied, egress.proxy

    def _open_session(self, **how: Any) -> aiohttp.ClientSession:
        """A session whose connections serve one request each: nothing that a tenant leaves on a connection reaches another's request."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=trusting(self._egress.authorities), **how)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    def _address(self, text: str, namespace: str, encoded: bool = False) -> URL:
        url = URL(text, encoded=encoded)
        host = of_namespace(url.host or "", namespace, self._egress)
        return url if host == (url.host or "") else url.with_host(host)

    def _socket(self, info: Any) -> socket.socket:
        """Called for every connection, including redirects, with the address that is really used."""
        family, kind, protocol, _, address = info
        if words := refusal(address[0], self._egress):
            raise OSError(f"{words}: set http.pod, or allow it with --http-allow")
        return socket.socket(family, kind, protocol)


def refusal(address: str, egress: EgressPolicy) -> str:
    """Why nothing is sent to an IP address; empty if it is allowed."""
    host = ip_address(address.partition("%")[0])
    meant = _meant(host)
    if any(_within(one, egress.denied) for one in meant):
        return f"{host}: requests to this network are denied (http.deny)"
    forbidden = (one for one in meant if _within(one, (*FORBIDDEN, *egress.own)))
    if not _within(host, egress.allowed) and any(not _within(one, egress.allowed) for one in forbidden):
        return f"{host}: the operator does not send requests there (its own host, the link, metadata services)"
    return ""


def _meant(host: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """An address, and those that it may be translated to on the way."""
    if isinstance(host, IPv4Address):
        return [host]
    last = IPv4Address(int(host) & 0xFFFF_FFFF)
    inner = [host.ipv4_mapped, host.sixtofour, *(host.teredo or ())]
    if _within(host, EMBEDDING):
        inner.append(last)
    return [host, *(one for one in inner if one is not None)]


def of_namespace(host: str, namespace: str, egress: EgressPolicy) -> str:
    """The name to resolve for a host: one without a dot is a Service of the namespace, as in pods there."""
    if not egress.services or not host or host == "localhost" or "." in host or ":" in host:
        return host
    return f"{host}.{namespace}.svc"


def content(answer: Answer) -> dict[str, Any]:
    """The outputs of a response: its status and its body, parsed if it is JSON, else as text. Raises OutOfBounds."""
    status, body = answer.status, answer.body
    try:
        return {"status": status, "body": read_json(body, limit=LIMIT, name="body") if body.strip() else None}
    except NotJson:
        return {"status": status, "body": body.decode(errors="replace")}


def server(url: str, namespace: str, egress: EgressPolicy) -> str:
    """Host and port of a URL, independent of its spelling; empty if the text is not a URL."""
    try:
        parts = URL(url)
        host = of_namespace((parts.host or "").lower().rstrip("."), namespace, egress)
        port = parts.port
    except ValueError:
        return ""
    with contextlib.suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))
    with contextlib.suppress(ValueError):
        host = str(_meant(ip_address(host))[-1])
    return f"{host}:{port}"


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        found += chunk
        if len(found) > limit:
            break
    return bytes(found)


def _within(host: Any, networks: Sequence[Network]) -> bool:
    return any(host.version == network.version and host in network for network in networks)


def _shown(url: str) -> str:
    """A URL without parts that may be secret."""
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])[:200]
