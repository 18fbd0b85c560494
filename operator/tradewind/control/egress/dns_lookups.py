"""Resolves names that users wrote. Their DNS servers may answer slowly or never, so look-ups run in threads of their own, shared fairly by
namespaces: slow names delay only the namespace that asks for them."""

import asyncio
import contextlib
import socket
from contextvars import ContextVar
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from tradewind.plan.capacity.seats import Seats

MAX_PARALLEL_LOOKUPS = 128
"""Parallel look-ups, each in its own thread."""
SHARE = 4
"""Parallel look-ups of one namespace."""
NAME_SHARE = 2
"""Parallel look-ups of one name in one namespace."""
DEADLINE = 10.0
"""Seconds within which an address must be found, including the wait for a thread."""

Info = tuple[Any, Any, int, str, tuple[Any, ...]]
"""A result of getaddrinfo: family, type, protocol, canonical name, address."""

NAMESPACE: ContextVar[str] = ContextVar("namespace", default="")
"""The namespace for which `Resolver` resolves names."""


class Unresolved(OSError):
    """No address was found in time. The message says why."""


@dataclass(frozen=True, slots=True)
class _Lookup:
    host: str
    port: int
    family: socket.AddressFamily
    flags: int
    found: "asyncio.Future[list[Info]]"

    def ask(self) -> list[Info]:
        return socket.getaddrinfo(self.host, self.port, self.family, socket.SOCK_STREAM, flags=self.flags)


class Lookups:
    """Resolves names."""

    def __init__(self) -> None:
        self._seats: Seats[_Lookup] = Seats(MAX_PARALLEL_LOOKUPS, SHARE, host_share=NAME_SHARE)

    async def addresses(
        self, host: str, port: int, namespace: str, family: socket.AddressFamily = socket.AF_UNSPEC, flags: int = 0
    ) -> list[Info]:
        """The addresses of a host, for TCP; `flags` are those of getaddrinfo. Raises OSError: Unresolved, or an error of getaddrinfo."""
        lookup = _Lookup(host, port, family, flags, asyncio.get_running_loop().create_future())
        try:
            return replace(lookup, flags=socket.AI_NUMERICHOST).ask()
        except socket.gaierror:
            pass  # not an address: resolve the name
        except UnicodeError:
            raise Unresolved(f"not the name of a host: {host[:253]}") from None
        self._seats.wait(namespace, host, lookup)
        self._begin()
        try:
            async with asyncio.timeout(DEADLINE):
                return await lookup.found
        except TimeoutError:
            words = f"no address was found within {DEADLINE:g} s"
            held = self._seats.held[namespace]
            if held >= SHARE:
                words += f" (namespace {namespace} has {held} look-ups in progress, the limit)"
            raise Unresolved(words) from None

    def _begin(self) -> None:
        while called := self._seats.call():
            namespace, host, lookup = called
            if lookup.found.done():  # The caller is gone.
                self._seats.leave(namespace, host)
                continue
            # No executor: the process must be able to end without waiting for threads that can't be stopped.
            Thread(target=self._run, args=(lookup, namespace), name="lookup", daemon=True).start()

    def _run(self, lookup: _Lookup, namespace: str) -> None:
        """Runs in a thread."""
        found: list[Info] | Exception
        try:
            found = lookup.ask()
        except Exception as error:
            found = error
        with contextlib.suppress(RuntimeError):  # The loop may be closed.
            lookup.found.get_loop().call_soon_threadsafe(self._end, lookup, namespace, found)

    def _end(self, lookup: _Lookup, namespace: str, found: list[Info] | Exception) -> None:
        """Releases the seat, which is held until the thread ends even if the caller is gone."""
        self._seats.leave(namespace, lookup.host)
        if not lookup.found.done():
            if isinstance(found, Exception):
                lookup.found.set_exception(found)
            else:
                lookup.found.set_result(found)
        self._begin()


class Resolver(AbstractResolver):
    """aiohttp's interface to look-ups, for the namespace in NAMESPACE."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses in aiohttp's form. Raises OSError."""
        found = await self._lookups.addresses(host, port, NAMESPACE.get(), family, socket.AI_ADDRCONFIG)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=_text(address), port=port, family=of, proto=protocol, flags=numeric)
            for of, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Does nothing: the resolver holds no resources."""


def _text(address: tuple[Any, ...]) -> str:
    """An IP address as text; a link-local one with its interface."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])
