"""A tenant whose servers never answer uses up its own share of the operator's requests, and waits for the rest."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from worlds.webserver import web_server
from worlds.world import World


@contextlib.asynccontextmanager
async def tarpit() -> AsyncIterator[str]:
    """A server that takes requests and never answers."""

    async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await reader.read()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def test_requests_and_polls_of_others_go_on(embedded_worlds: Callable[[str], World]) -> None:
    loud, quiet = embedded_worlds("loud"), embedded_worlds("quiet")
    operator = loud.start_operator("--namespace", quiet.namespace)
    try:
        async with loud.client() as client, tarpit() as slow, web_server() as fast:
            fast.answers["/"] = (200, {})
            each = {"forEach": {"range": {"stop": 40}}}
            tasks = {
                "requests": {**each, "http": {"url": slow, "timeout": "5m"}, "timeout": "20s"},
                "polls": {**each, "sensor": {"http": {"url": slow, "timeout": "5m"}, "timeout": "20s"}},
            }
            run = await loud.start(client, loud.dag("tarpit", tasks))
            words = (
                "waits for its turn: namespace loud has 16 requests in progress, the limit",
                f"waits for its turn to ask for GET {slow}: the limit of concurrent polls of this namespace",
            )
            for start in words:
                await loud.until(
                    client,
                    run,
                    lambda status, start=start: any(  # type: ignore[misc]
                        item["message"].startswith(start) and item["reason"] == "RequestsBusy"
                        for item in status.get("waiting") or []
                    ),
                )
            tasks = {"ask": {"http": {"url": fast.url + "/"}}, "wait": {"sensor": {"http": {"url": fast.url + "/"}}}}
            status = await quiet.result(client, quiet.dag("fast", tasks), seconds=10)
            assert status["phase"] == "Succeeded" and fast.times("/") == 2
            status = await loud.finished(client, run)
            reasons = {(item["task"].partition("[")[0], item["reason"]) for item in status["failures"]}
            assert reasons <= {("requests", "DeadlineExceeded"), ("polls", "SensorTimeout")}
            assert status["phase"] == "Failed"
    finally:
        operator.kill()
        operator.wait()
