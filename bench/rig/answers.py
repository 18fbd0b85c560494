"""`python -m bench.rig.answers`: a web server, in its own process, that answers that nothing is ready."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

from aiohttp import web


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """The URL of a running server."""
    process = subprocess.Popen([sys.executable, "-m", "bench.rig.answers"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


async def _serve() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"ready": False})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
