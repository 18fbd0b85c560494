"""Queries a PostgreSQL database, for sensors, with one read-only connection per poll."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from tradewind.control.egress.client import of_namespace, refusal
from tradewind.control.egress.dns_lookups import Lookups
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.model.bounded import OutOfBounds, read_json
from tradewind.model.duration import seconds
from tradewind.model.sensor import SqlPoll
from tradewind.plan.sensors.sql_query import bounded

if TYPE_CHECKING:
    import psycopg

ROWS = 1_000
LIMIT = 1 << 20
"""Characters of all rows as JSON."""
CONNECTS = 10.0
"""Seconds within which a connection must be established."""
GRACE = 5.0
"""Seconds that a server has beyond the statement's timeout to report it."""
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
"""Certificate authorities that the system trusts; SSL_CERT_FILE overrides it."""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials. `ca` is a certificate authority (PEM), or empty."""

    user: str
    password: str
    ca: str


class SqlProbe:
    """Sends a query. `login` raises ProbeFailedError. `limit` is the number of characters of all rows."""

    def __init__(
        self,
        egress: EgressPolicy,
        lookups: Lookups,
        poll: SqlPoll,
        namespace: str,
        parameters: Sequence[Any],
        login: Callable[[], Awaitable[Login]],
        limit: int = LIMIT,
    ) -> None:
        self._egress, self._lookups, self._namespace = egress, lookups, namespace
        self._poll, self._parameters, self._login, self._limit = poll, parameters, login, limit
        self._name = of_namespace(poll.host, namespace, egress)
        self.host = f"{poll.host}:{poll.port}"
        self.what = f"the query of {self.host}/{poll.database}"

    async def ask(self) -> Mapping[str, Any]:
        """`rows` and `count`. Raises ProbeFailedError."""
        for number, value in enumerate(self._parameters, 1):
            if not (value is None or isinstance(value, str | int | float)):
                raise ProbeFailedError(f"{self.what}: ${number} is not a text, number, true/false or null")
        driver, login = _driver(), await self._login()
        addresses = await self._addresses()
        time = min(seconds(self._poll.timeout), self._egress.longest)
        try:
            connection = await self._connect(driver, login, addresses)
            try:
                async with asyncio.timeout(time + GRACE):
                    rows = await self._rows(driver, connection, time)
            finally:
                await connection.close()
        except (TimeoutError, driver.errors.QueryCanceled):
            raise ProbeFailedError(f"{self.what}: no answer within {time:g} s (sql.timeout)") from None
        except driver.Error as error:
            message = error.diag.message_primary or str(error) or type(error).__name__
            raise ProbeFailedError(f"{self.what}: {' '.join(message.split())}"[:500] + _advice(message)) from None
        return {"count": len(rows), "rows": rows}

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Rows and count."""
        return dict(found)

    async def _addresses(self) -> list[str]:
        """The allowed addresses of the host. Connections use them, so a later change of the name's addresses has no effect."""
        try:
            found = await self._lookups.addresses(self._name, self._poll.port, self._namespace)
        except OSError as error:
            raise ProbeFailedError(f"{self._name}: {error.strerror or error}") from None
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        allowed = [address for address in addresses if not refusal(address, self._egress)]
        if not allowed:
            raise ProbeFailedError(f"{refusal(addresses[0], self._egress)}: allow it with --http-allow")
        return allowed

    async def _connect(self, driver: Any, login: Login, addresses: Sequence[str]) -> "psycopg.AsyncConnection[Any]":
        with _authorities(login.ca) as trusted:
            try:
                async with asyncio.timeout(CONNECTS):
                    return await self._open(driver, login, addresses, trusted)
            except TimeoutError:
                raise ProbeFailedError(f"{self.what}: no connection within {CONNECTS:g} s") from None

    async def _open(
        self, driver: Any, login: Login, addresses: Sequence[str], trusted: str
    ) -> "psycopg.AsyncConnection[Any]":
        # A given authority is meant to be checked.
        mode = "verify-ca" if login.ca and self._poll.ssl_mode == "require" else self._poll.ssl_mode
        connection: psycopg.AsyncConnection[Any] = await driver.AsyncConnection.connect(
            hostaddr=",".join(addresses),
            host=",".join([self._name] * len(addresses)),
            port=self._poll.port,
            dbname=self._poll.database,
            user=login.user,
            password=login.password,
            sslmode=mode,
            **({"sslrootcert": trusted} if mode.startswith("verify") else {}),
            **({"require_auth": "scram-sha-256"} if self._poll.auth == "SCRAM" else {}),
            gssencmode="disable",
            connect_timeout=int(CONNECTS),
            application_name="tradewind",
            client_encoding="utf-8",
            cursor_factory=driver.AsyncRawCursor,
            prepare_threshold=None,  # Poolers between operator and server don't keep prepared statements.
        )
        return connection

    async def _rows(self, driver: Any, connection: "psycopg.AsyncConnection[Any]", time: float) -> list[Any]:
        await connection.set_read_only(True)
        # In the transaction: poolers refuse options of a connection.
        settings = "set_config('statement_timeout', $1, true), set_config('TimeZone', 'UTC', true)"
        await connection.execute(f"SELECT {settings}", [str(max(1, int(time * 1000)))])
        found: list[Any] = []
        length = 0
        query = bounded(self._poll.query, ROWS + 1, self._limit + 1)
        cursor = connection.cursor()
        stream: AsyncIterator[Any] = cursor.stream(query, self._parameters)
        async with aclosing(stream) as rows:  # type: ignore[type-var]
            async for (text,) in rows:
                length += len(text)
                if length > self._limit:
                    raise ProbeFailedError(f"{self.what}: more than {self._limit // 1024} KiB: ask for less")
                if len(found) == ROWS:
                    raise ProbeFailedError(f"{self.what}: more than {ROWS:,} rows: add a LIMIT")
                try:
                    found.append(read_json(text, limit=4 * self._limit, name=f"rows[{len(found)}]"))
                except OutOfBounds as error:
                    raise ProbeFailedError(f"{self.what}: {error}") from None
        return found


def _advice(message: str) -> str:
    """How to fix a refusal that results from the security of the connection."""
    if "authentication method requirement" in message:
        return "; the server does not use SCRAM: let it, or set sql.auth to Any"
    if "certificate" in message:
        return "; name the authority in the Secret's `ca`, and the server as its certificate does, or set sql.sslMode"
    return ""


def _driver() -> Any:
    """The driver, loaded on first use: it takes memory and may not be installed."""
    try:
        import psycopg
    except ImportError:
        raise ProbeFailedError("the operator has no driver for PostgreSQL: install tradewind[postgres]") from None
    return psycopg


@contextmanager
def _authorities(ca: str) -> Iterator[str]:
    """The file with the authorities to trust."""
    if not ca:
        yield os.environ.get("SSL_CERT_FILE") or SYSTEM
        return
    with NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(ca)
        file.flush()
        yield str(Path(file.name))
