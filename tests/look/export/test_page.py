"""A run as one file."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cli.scene import Scene, main, scene, scheduled
from server.hostile import ALL, ANSI, BIDI, NUL, SCRIPT
from tradewind.look.export.layout import layout
from tradewind.look.export.markup import text
from tradewind.look.export.page import Exported, page

ALLOWED = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "table", "thead", "tbody", "tr"}
ALLOWED |= {"th", "td", "pre", "div", "svg", "path", "rect", "text", "tspan", "line", "g"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def checked(made: str) -> Tags:
    """The elements of a page, none of which could load or run anything."""
    tags = Tags()
    tags.feed(made)
    assert tags.seen <= ALLOWED and not [name for name in tags.attributes if name.startswith("on")]
    assert not tags.attributes & {"href", "src", "style", "action"} and "http://" not in made and "https://" not in made
    return tags


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def test_it_holds_graph_times_reasons_and_attempts(here: Scene, tmp_path: Path) -> None:
    tasks: dict[str, Any] = {"load": {}, "work": {"dependsOn": ["load"]}, "last": {"dependsOn": ["work"]}}
    failure = {"task": "work", "attempt": 1, "reason": "Error", "exitCode": 3, "message": "no such table"}
    status = {"attempts": "load 0+5\nwork 7+60 =3 Error", "phase": "Failed", "failures": [failure]}
    await here.run("etl-1", tasks, {**status, "message": "1 task failed", "finishedAt": "2030-01-01T00:00:00Z"})
    path = tmp_path / "run.html"
    told = await here.tradewind("export", "etl-1", "-o", str(path))
    assert str(path) in told and "look into it before you send it" in told
    made = path.read_text()
    assert "svg" in checked(made).seen
    for words in ("etl-1", "Failed", "no such table", "Critical path", "Gantt", "Graph", "UpstreamFailed", "Error"):
        assert words in made, words
    assert (await here.tradewind("export", "etl-1", "-o", "-")).startswith("<!doctype html>")


async def test_a_run_that_goes_on_can_be_exported_too(here: Scene, tmp_path: Path) -> None:
    await here.run("etl-1", {"load": {}, "work": {}}, {"attempts": "load 0+5"})
    running = {"phase": "Running", **main(running={"startedAt": "2026-01-01T00:00:00Z"}), **scheduled(True)}
    await here.pod("etl-1", "work", "n1", **running)
    await here.queued("new-1", "etl")
    for name in ("etl-1", "new-1"):
        await here.tradewind("export", name, "-o", str(tmp_path / name))
        checked((tmp_path / name).read_text())


def test_text_of_others_is_only_text() -> None:
    for hostile in ALL:
        values = {"Params": {hostile: hostile}}
        run = Exported(
            "ns",
            hostile,
            hostile,
            [(hostile, hostile)],
            hostile,
            None,
            (),
            [[hostile] * 7],
            values,
            [(hostile, hostile)],
            [hostile],
            0,
        )
        made = page(run)
        checked(made)
        assert "<script" not in made and not re.search("[\x00\x1b\u202e\u200b]", made)


def test_what_can_not_be_seen_is_shown() -> None:
    assert text(NUL) == "a⟨U+0000⟩b" and "⟨U+202E⟩" in text(BIDI)
    assert text(ANSI) == "red link" and "&lt;script&gt;" in text(SCRIPT)


def test_a_task_is_drawn_after_what_it_depends_on() -> None:
    places = layout(5, [0, 2, 1, 2, 2, 3])
    assert [place.column for place in places] == [0, 0, 1, 2, 0]
    assert len({(place.column, place.row) for place in places}) == 5
