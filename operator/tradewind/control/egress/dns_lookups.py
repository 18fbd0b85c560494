"""Looks up the addresses of names that users wrote. The servers of such a name may answer slowly, or never: look-ups take place in threads of
their own, shared by namespaces, so that slow names delay only the namespace that asks for them."""

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
"""Look-ups under way at the same time, each in a thread that ends with it."""
SHARE = 4
"""Of one namespace."""
NAME_SHARE = 2
"""Of one name, in one namespace."""
DEADLINE = 10.0
"""Seconds within which an address has to be found, the wait for a thread included."""

Info = tuple[Any, Any, int, str, tuple[Any, ...]]
"""What getaddrinfo gives: family, type, protocol, canonical name, address."""

NAMESPACE: ContextVar[str] = ContextVar("namespace", default="")
"""Whose request `Resolver` looks names up for."""


class Unresolved(OSError):
    """No address was found in time; the message says why."""


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
    """Looks names up."""

    def __init__(self) -> None:
        self._seats: Seats[_Lookup] = Seats(MAX_PARALLEL_LOOKUPS, SHARE, host_share=NAME_SHARE)

    async def addresses(
        self, host: str, port: int, namespace: str, family: socket.AddressFamily = socket.AF_UNSPEC, flags: int = 0
    ) -> list[Info]:
        """The addresses of a host, for TCP; `flags` are getaddrinfo's. Raises OSError: Unresolved, or what getaddrinfo raises."""
        lookup = _Lookup(host, port, family, flags, asyncio.get_running_loop().create_future())
        try:
            return replace(lookup, flags=socket.AI_NUMERICHOST).ask()
        except socket.gaierror:
            pass  # A name, so somebody has to be asked.
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
            if lookup.found.done():  # Whoever asked has gone.
                self._seats.leave(namespace, host)
                continue
            # Not of an executor: the process ends without waiting for threads that nobody can stop.
            Thread(target=self._run, args=(lookup, namespace), name="lookup", daemon=True).start()

    def _run(self, lookup: _Lookup, namespace: str) -> None:
        """In a thread."""
        found: list[Info] | Exception
        try:
            found = lookup.ask()
        except Exception as error:
            found = error
        with contextlib.suppress(RuntimeError):  # The loop may be closed.
            lookup.found.get_loop().call_soon_threadsafe(self._end, lookup, namespace, found)

    def _end(self, lookup: _Lookup, namespace: str, found: list[Info] | Exception) -> None:
        """The seat is held until the thread ends, however soon whoever asked has gone."""
        self._seats.leave(namespace, lookup.host)
        if not lookup.found.done():
            if isinstance(found, Exception):
                lookup.found.set_exception(found)
            else:
                lookup.found.set_result(found)
        self._begin()


class Resolver(AbstractResolver):
    """aiohttp's way to ask, on behalf of NAMESPACE."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, as aiohttp wants them. Raises OSError."""
        found = await self._lookups.addresses(host, port, NAMESPACE.get(), family, socket.AI_ADDRCONFIG)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=_text(address), port=port, family=of, proto=protocol, flags=numeric)
            for of, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _text(address: tuple[Any, ...]) -> str:
    """An IP address; one of a link says which link it is."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])
