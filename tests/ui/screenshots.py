"""`make screenshots`: all screens in both themes, of the world that stands in, as small PNGs; `python -m ui.screenshots FOLDER`."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from ui.answers import World
from ui.conftest import ROOT, Server, visiting
from ui.test_screens import SCREENS

WIDTH = 1100
NOW = 1_796_119_200.0
"""The world's time, so that the same pictures come out."""
LEFT_OUT = {"runs-of-one", "nowhere", "gone", "run-yaml", "dag-runs", "dag-triggers"}


def main(folder: Path) -> None:
    """Writes NAME-THEME.png for each."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(World(now=NOW))
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with (
        sync_playwright() as running,
        running.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        for theme in ("light", "dark"):
            with visiting(browser, color_scheme=theme, reduced_motion="reduce") as visit:
                visit.page.clock.set_fixed_time(NOW)
                for name, path in SCREENS.items():
                    if name in LEFT_OUT:
                        continue
                    page = visit.to(server.address + path)
                    page.wait_for_timeout(500)  # canvases are drawn in the next frame
                    save(page.screenshot(), folder / f"{name}-{theme}.png")
        example(browser, folder)
    server.end()


def example(browser: Browser, folder: Path) -> None:
    """The run of the leave forecast, as it really went on this machine: for the README."""
    command = [sys.executable, str(ROOT / "examples/leave-forecast/demo.py"), "--ui", "--no-browser"]
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with (
        tempfile.TemporaryDirectory() as work,
        subprocess.Popen(command, cwd=work, env=unbuffered, **pipes) as process,
    ):
        link = next(found[0] for line in process.stdout or () if (found := re.search(r"http://\S+/#token=\S+", line)))
        for theme in ("light", "dark"):
            with visiting(browser, color_scheme=theme, reduced_motion="reduce") as visit:
                page = visit.to(link)
                page.goto(f"{link.partition('/#')[0]}/runs")
                page.locator("td.name a").first.click()
                expect(page.locator(".page-head .state")).to_have_text("Succeeded", timeout=120_000)
                visit.to(f"{page.url}?task=join&tab=log&about=conditions")  # without the params: paths of this machine
                page.wait_for_timeout(1_000)
                save(page.screenshot(), folder / f"leave-forecast-{theme}.png")
        process.send_signal(signal.SIGINT)


def save(picture: bytes, path: Path) -> None:
    """As a PNG of few colours."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
