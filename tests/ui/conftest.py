"""A built UI, a browser, and a server that stands in."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from ui.answers import World
from ui.stand_in import StandIn

expect.set_options(timeout=30_000)  # A busy machine is no failure.
ROOT = Path(__file__).parents[2]
UI = ROOT / "ui"
AXE = UI / "node_modules/axe-core/axe.min.js"
WATCH = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def missing(reason: str) -> None:
    """Skips, with the reason; fails where everything has to be there."""
    if os.environ.get("TRADEWIND_REQUIRE_E2E"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built UI; built now if it is stale."""
    with (ROOT / "ui/.build.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        for wanted in ("build", "install"):
            done = subprocess.run([sys.executable, UI / "make.py", wanted], capture_output=True, text=True, timeout=280)
            if done.returncode != 0:
                missing(f"the UI can't be built: {(done.stdout + done.stderr)[-400:]}")
    return ROOT / "operator/tradewind/server/static"


@pytest.fixture(scope="module")
def playwright(built: Path) -> Iterator[Playwright]:
    """Stopped after each file: its loop must not meet those of other tests."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    names = (os.environ.get("TRADEWIND_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path is None:
        missing("there is no Chromium: `make chromium` installs Debian's, or set TRADEWIND_CHROMIUM")
    opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
    yield opened
    opened.close()


class Server:
    """A server that stands in, in a thread of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.stand_in = StandIn(world)
        self.start()

    def _do(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(60)

    def start(self) -> None:
        """Listens; after `stop` on the same port."""
        self._do(self.stand_in.open())

    def stop(self) -> None:
        """Ends as if it were killed: nothing listens any more."""
        self._do(self.stand_in.close())

    def tell(self, topic: str) -> None:
        """Tells the pages that follow the topic that it has changed."""
        self.loop.call_soon_threadsafe(self.stand_in.tell, topic)

    async def _rest(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def address(self) -> str:
        return self.stand_in.address

    @property
    def posted(self) -> list[tuple[str, dict[str, Any]]]:
        return self.stand_in.posted

    def end(self) -> None:
        """Ends the thread as well."""
        self.stop()
        self._do(self._rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)


@pytest.fixture
def serve(built: Path) -> Iterator[Callable[[World], Server]]:
    """Serves worlds until the test ends."""
    servers: list[Server] = []

    def serve(world: World) -> Server:
        servers.append(Server(world))
        return servers[-1]

    yield serve
    for server in servers:
        server.end()


@pytest.fixture
def server(serve: Callable[[World], Server]) -> Server:
    return serve(World())


class Visit:
    """A page with what went wrong on it."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(int(os.environ.get("TRADEWIND_UI_TIMEOUT", "60000")))
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def to(self, address: str) -> Page:
        """Goes there, until everything that the screen needs has come."""
        self.page.goto(address)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Waits until nothing is loading."""
        self.page.wait_for_selector("main")
        self.until("() => !document.querySelector('main .skeleton, dialog .skeleton')")

    def until(self, what: str, value: object = None) -> None:
        """Waits for what a function in the page answers; Playwright's own way needs `eval`, which the policy refuses."""
        end = time.monotonic() + 60
        while not self.page.evaluate(what, value):
            assert time.monotonic() < end, f"{what} did not become true on {self.page.url}"
            self.page.wait_for_timeout(50)

    def violations(self) -> list[str]:
        return list(self.page.evaluate("globalThis.violations"))


@contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visit]:
    """A page of a context of its own."""
    viewport = {"width": 1440, "height": 900}
    context = browser.new_context(viewport=viewport, timezone_id="Europe/Paris", locale="en-GB", **options)
    context.add_init_script(WATCH)
    context.add_init_script(path=AXE)
    try:
        yield Visit(context)
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    with visiting(browser, color_scheme="light") as page:
        yield page
