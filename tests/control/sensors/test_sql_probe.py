"""Sensors that query a database: a real PostgreSQL server, where connections may go, and the message when it refuses."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cluster.postgres import Postgres, postgres
from tradewind.control.egress.dns_lookups import Lookups
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.sensors.bucket_probe import ProbeFailedError
from tradewind.control.sensors.sql_probe import LIMIT, Login, SqlProbe
from tradewind.model.sensor import SqlPoll

from control import certificates

HERE = EgressPolicy(services=False, allowed=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as started:
        started.run(
            "CREATE TABLE kept (n int)",
            "INSERT INTO kept VALUES (1)",
            "CREATE SEQUENCE numbers",
            "CREATE FUNCTION takes_away() RETURNS int LANGUAGE sql AS 'DELETE FROM kept RETURNING n'",
        )
        yield started


async def ask(
    server: Postgres,
    query: str,
    *parameters: Any,
    egress: EgressPolicy = HERE,
    password: str = "",
    ca: str = "",
    **more: Any,
) -> Any:
    async def login() -> Login:
        return Login(server.user, password or server.password, ca)

    where = {"host": "127.0.0.1", "port": server.port, "database": server.database, "ssl_mode": "disable", **more}
    poll = SqlPoll(secret_name="s", query=query, **where)
    return await SqlProbe(egress, Lookups(), poll, "ns", parameters, login, LIMIT).ask()


async def test_rows_are_objects_of_json_types(server: Postgres) -> None:
    columns = {
        "1::bigint AS n": 1,
        "2.5::numeric AS price": 2.5,
        "'ü'::text AS name": "ü",
        "true AS ready": True,
        "NULL::int AS nothing": None,
        "'2026-01-01T01:00:00.123456+02'::timestamptz AS at": "2025-12-31T23:00:00.123456+00:00",
        "'2026-01-01'::date AS day": "2026-01-01",
        "ARRAY[1, 2] AS list": [1, 2],
        "'{\"a\": [1]}'::jsonb AS data": {"a": [1]},
        "'NaN'::float8 AS odd": "NaN",
    }
    found = await ask(server, f"SELECT {', '.join(columns)} -- and a comment")
    names = [column.rpartition(" ")[2] for column in columns]
    assert found == {"count": 1, "rows": [dict(zip(names, columns.values(), strict=True))]}
    assert await ask(server, "SELECT n FROM kept WHERE false;") == {"count": 0, "rows": []}


async def test_parameters_are_bound_and_never_a_part_of_the_sql(server: Postgres) -> None:
    text = "'; DELETE FROM kept; --"
    found = await ask(server, "SELECT $1::text AS said, $2 + 1 AS next, n = $3 AS same FROM kept", text, 41, "1")
    assert found["rows"] == [{"said": text, "next": 42, "same": True}]
    found = await ask(server, "SELECT $1::bool AS yes, $2::int IS NULL AS nothing", True, None)
    assert found["rows"] == [{"yes": True, "nothing": True}]
    with pytest.raises(ProbeFailedError, match=r"\$2 is not a text, number, true/false or null"):
        await ask(server, "SELECT $1, $2", 1, [2])


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT takes_away()", "cannot execute DELETE in a read-only transaction"),
        ("SELECT nextval('numbers')", "cannot execute nextval() in a read-only transaction"),
        ("WITH gone AS (DELETE FROM kept RETURNING n) SELECT * FROM gone", "data-modifying statement"),
        ("SELECT set_config('transaction_read_only', 'off', true), takes_away()", "must be set before any query"),
        ("SELECT 1; DELETE FROM kept", "syntax error"),
        ("SELECT 1) AS a; DELETE FROM kept; SELECT * FROM (SELECT 1", "cannot insert multiple commands"),
    ],
)
async def test_a_query_that_writes_is_refused_and_changes_nothing(server: Postgres, query: str, problem: str) -> None:
    with pytest.raises(ProbeFailedError) as refused:
        await ask(server, query)
    assert problem in str(refused.value)
    assert await ask(server, "SELECT n FROM kept") == {"count": 1, "rows": [{"n": 1}]}


async def test_what_is_too_much_is_refused_before_it_is_kept(server: Postgres) -> None:
    most = await ask(server, "SELECT n FROM generate_series(1, 1000) AS n")
    assert most["count"] == 1_000 and most["rows"][-1] == {"n": 1_000}
    with pytest.raises(ProbeFailedError, match="more than 1,000 rows: add a LIMIT"):
        await ask(server, "SELECT n FROM generate_series(1, 100000) AS n")
    with pytest.raises(ProbeFailedError, match="more than 1024 KiB: ask for less"):
        await ask(server, "SELECT repeat('x', 3000) FROM generate_series(1, 900)")
    with pytest.raises(ProbeFailedError, match="more than 1024 KiB: ask for less"):
        await ask(server, "SELECT repeat('x', 20000000)")


async def test_a_statement_that_takes_too_long_is_ended_and_no_connection_is_left(server: Postgres) -> None:
    with pytest.raises(ProbeFailedError, match=r"no answer within 0.2 s \(sql.timeout\)"):
        await ask(server, "SELECT pg_sleep(60)", timeout="200ms")
    others = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tradewind' AND pid <> pg_backend_pid()"
    async with asyncio.timeout(100):
        while (await ask(server, others))["count"]:
            await asyncio.sleep(0.05)


async def test_what_the_server_refuses_is_told_without_the_password(server: Postgres) -> None:
    with pytest.raises(ProbeFailedError, match='password authentication failed for user "tester"') as refused:
        await ask(server, "SELECT 1", password="s3cret")
    assert "s3cret" not in str(refused.value)
    for query, more, problem in (
        ("SELECT * FROM absent", {}, 'relation "absent" does not exist'),
        ("SELECT 1", {"database": "none"}, 'database "none" does not exist'),
        ("SELECT 1", {"ssl_mode": "require"}, "server does not support SSL, but SSL was required"),
        ("SELECT 1", {"host": "absent.invalid"}, "^absent.invalid: "),
        ("SELECT 1", {"port": 1}, "Connection refused"),
    ):
        with pytest.raises(ProbeFailedError, match=problem) as refused:
            await ask(server, query, **more)
        assert server.password not in str(refused.value)


async def test_connections_go_only_where_requests_may(server: Postgres) -> None:
    for host in ("127.0.0.1", "localhost", "::1", "2130706433", "169.254.169.254", "::ffff:127.0.0.1"):
        with pytest.raises(
            ProbeFailedError, match=r"the operator does not send requests there .*: allow it with --http-allow"
        ):
            await ask(server, "SELECT 1", host=host, egress=EgressPolicy(services=False))
    with pytest.raises(ProbeFailedError, match=r"^db\.ns\.svc: "):
        await ask(server, "SELECT 1", host="db", egress=EgressPolicy())


async def test_a_name_is_resolved_once_so_that_it_cannot_mean_another_address_later(server: Postgres) -> None:
    resolved: list[str] = []

    def getaddrinfo(host: str, port: int, *rest: Any, flags: int = 0) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("a name")
        resolved.append(host)
        if len(resolved) > 1:
            raise OSError("asked again")
        # One address that is allowed, and one that is not.
        return [(2, 1, 6, "", (address, port)) for address in ("169.254.169.254", "127.0.0.1")]

    with patch("socket.getaddrinfo", getaddrinfo):
        assert (await ask(server, "SELECT 1", host="books.example"))["count"] == 1
    assert resolved == ["books.example"]


async def test_an_operator_without_the_driver_says_which_extra_to_install(server: Postgres) -> None:
    with patch.dict("sys.modules", {"psycopg": None}), pytest.raises(ProbeFailedError, match=r"tradewind\[postgres\]"):
        await ask(server, "SELECT 1")


async def test_certificates_are_verified_by_the_name_of_the_host(server: Postgres, tmp_path: Path) -> None:
    certificate, key = certificates.write(tmp_path, timedelta(days=1), "localhost")
    other, _ = certificates.write(tmp_path / "other", timedelta(days=1), "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with behind_tls(server, context) as port:

        async def over_tls(mode: str, host: str, ca: Path) -> int:
            found = await ask(server, "SELECT 1", host=host, port=port, ssl_mode=mode, ca=ca.read_text())
            return int(found["count"])

        assert await over_tls("verify-full", "localhost", certificate) == 1
        assert await over_tls("verify-ca", "127.0.0.1", certificate) == 1
        assert await over_tls("require", "127.0.0.1", certificate) == 1
        for mode, host, ca in (
            ("verify-full", "127.0.0.1", certificate),
            ("verify-ca", "localhost", other),
            ("require", "localhost", other),  # a given authority is used
        ):
            with pytest.raises(ProbeFailedError, match=r"certificate.*; name the authority in the Secret's `ca`"):
                await over_tls(mode, host, ca)
        assert (await ask(server, "SELECT 1", host="127.0.0.1", port=port, ssl_mode="require"))["count"] == 1
        with pytest.raises(ProbeFailedError, match="certificate"):  # none is given: the system's are trusted
            await ask(server, "SELECT 1", host="localhost", port=port, ssl_mode="verify-full")


def test_who_answers_is_verified_unless_said_otherwise() -> None:
    assert SqlPoll(secret_name="s", query="SELECT 1", host="db", database="d").ssl_mode == "verify-full"


async def test_a_server_that_asks_for_the_password_itself_does_not_get_it() -> None:
    """It requests the password in clear text."""
    got = b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
        got += await reader.read(1_000)
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    there = Postgres(listening.sockets[0].getsockname()[1], "tester", "s3cret-password")
    try:
        with pytest.raises(ProbeFailedError, match=r"the server does not use SCRAM: let it, or set sql.auth to Any"):
            await ask(there, "SELECT 1")
        assert got == b""
        with pytest.raises(ProbeFailedError):
            await ask(there, "SELECT 1", auth="Any")
        assert b"s3cret-password" in got
    finally:
        listening.close()


PARTS = [
    {"database": "postgresql://127.0.0.1:1/x"},
    {"database": "host=127.0.0.1 port=1"},
    {"user": "u host=127.0.0.1"},
    {"host": "/tmp"},
    {"host": "a,b"},
    {"host": "127.0.0.2 hostaddr=127.0.0.1"},
]


@pytest.mark.parametrize("parts", PARTS, ids=str)
async def test_no_part_of_a_login_names_another_server(parts: dict[str, str]) -> None:
    """A database, user or host name means nothing but that; the server does not exist."""
    there = Postgres(1, "tester", "pass' host='127.0.0.1' port='1")
    with pytest.raises(ProbeFailedError) as refused:
        await ask(
            there,
            "SELECT 1",
            egress=EgressPolicy(services=False),
            host=parts.get("host", "127.0.0.1"),
            **{k: v for k, v in parts.items() if k != "host"},
        )
    said = str(refused.value)
    assert "does not send requests there" in said or "not known" in said or "no address" in said.lower(), said


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM kept; SELECT 1", "SELECT 1; DELETE FROM kept", "COPY kept FROM PROGRAM 'id'", "DO $$ BEGIN END $$"],
)
async def test_only_one_statement_that_gives_rows_is_sent(server: Postgres, query: str) -> None:
    with pytest.raises(ProbeFailedError, match="syntax error"):
        await ask(server, query)


@asynccontextmanager
async def behind_tls(server: Postgres, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A port that speaks TLS like PostgreSQL, since the server's programs may have been built without."""
    copying: set[asyncio.Task[None]] = set()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # the request for TLS
        writer.write(b"S")
        try:
            await writer.start_tls(context)
        except OSError:
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", server.port)
        for one in (copy(reader, outer), copy(inner, writer)):
            task = asyncio.create_task(one)
            copying.add(task)
            task.add_done_callback(copying.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in list(copying):
            task.cancel()
