"""`make screenshots`: all screens in both themes, of the world that stands in, as small PNGs; `python -m ui.screenshots FOLDER`."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from ui.answers import World
from ui.conftest import Server, visiting
from ui.test_screens import SCREENS

WIDTH = 1200
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
    server.end()


def save(picture: bytes, path: Path) -> None:
    """As a PNG of few colours."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
