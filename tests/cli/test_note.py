"""`tradewind note`: a note on a run, shown with its author and time."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tradewind.cli.note import LONGEST
from tradewind.kube.resources import RUNS
from tradewind.look.note import shown

from cli.scene import Scene, scene


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def test_a_note_is_shown_replaced_and_removed(here: Scene) -> None:
    await here.run("etl-1", {"a": {}})
    assert await here.tradewind("note", "etl-1", "source sent it twice") == "dagrun/etl-1: noted\n"
    await here.tradewind("note", "run/etl-1", "it was the *source*")
    described = await here.tradewind("describe", "run", "etl-1")
    assert re.search(r"^Note: +it was the \*source\* \(\S+, 20\S+Z\)$", described, re.MULTILINE), described
    assert "twice" not in described
    await here.tradewind("note", "etl-1", "")
    assert "Note:" not in await here.tradewind("describe", "run", "etl-1")
    annotations = (await here.client.get(RUNS, "default", "etl-1"))["metadata"].get("annotations") or {}
    assert not [name for name in annotations if "note" in name]


async def test_a_note_that_is_too_long_is_refused(here: Scene) -> None:
    await here.run("etl-1", {"a": {}})
    process = await here.start("note", "etl-1", "x" * (LONGEST + 1))
    _, told = await process.communicate()
    assert process.returncode == 2 and b"the note has 1025 characters, and at most 1024 are kept" in told


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        ({"tradewind.dev/note": "x" * 5_000}, "x" * LONGEST),
        ({"tradewind.dev/note": "by kubectl", "tradewind.dev/noted-by": "ada"}, "by kubectl (ada)"),
        ({"tradewind.dev/noted-by": "ada"}, ""),
        ({"tradewind.dev/note": "a\nPhase: b", "tradewind.dev/noted-by": "x\r\nPhase: c"}, "a Phase: b (x Phase: c)"),
        ({"tradewind.dev/note": "a", "tradewind.dev/noted-at": "9" * 3_000}, f"a ({'9' * 128})"),
        ({}, ""),
    ],
)
def test_what_others_wrote_is_shown_within_bounds(annotations: dict[str, str], text: str) -> None:
    assert shown(annotations) == text
