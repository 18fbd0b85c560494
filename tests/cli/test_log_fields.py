"""Log lines of the processes in a cluster, as JSON: their subjects are in fields of their own."""

import asyncio
import contextlib
import json
import logging
from typing import Any

import pytest
from tradewind.cli.serving import JSONFormatter
from tradewind.control.dagrun.run import Run
from tradewind.kube.log_fields import FIELDS, extra
from tradewind.kube.work_queue import WorkQueue

RUN = Run("etl-1", "shop", "uid", 1, 1, 0, False, "etl", {}, "Running", {})


def line(message: str = "x %s", *arguments: Any, **more: Any) -> dict[str, Any]:
    """The output of a log call."""
    record = logging.getLogger("tradewind.test").makeRecord(
        "tradewind.test", logging.WARNING, "file", 1, message, arguments, more.get("exc_info"), extra=more.get("extra")
    )
    text = JSONFormatter().format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_says_what_it_is_about() -> None:
    found = line("%s failed", "load", extra=extra(**RUN.fields, task="load[3]"))
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "tradewind.test",
        "message": "load failed",
        "namespace": "shop",
        "run": "etl-1",
        "dag": "etl",
        "task": "load[3]",
    }


def test_an_exception_and_odd_characters_stay_on_one_line() -> None:
    try:
        raise ValueError("bad\nvalue \x1b[31m \udcff")
    except ValueError as error:
        found = line("it broke: %s", error, exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: bad" in found["exception"] and "\x1b" in found["message"]


@pytest.mark.parametrize(
    ("name", "key", "fields"),
    [
        ("dag", ("shop", "etl"), {"namespace": "shop", "dag": "etl"}),
        ("template", ("TaskTemplate", "shop", "t"), {"namespace": "shop", "template": "t"}),
        ("dagrun", "uid", {}),
    ],
)
async def test_all_that_is_logged_about_a_key_has_its_fields(name: str, key: Any, fields: dict[str, str]) -> None:
    queue: WorkQueue[Any] = WorkQueue(name)
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def handle(_: Any) -> None:
        told.put_nowait(line())
        await asyncio.create_task(later())

    async def later() -> None:
        told.put_nowait(line())

    queue.add(key)
    working = asyncio.create_task(queue.work(handle, lambda *_: None))
    for _ in range(2):
        found = await told.get()
        assert {field: found[field] for field in found if field not in ("time", "level", "logger", "message")} == fields
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    assert FIELDS.get() == {}
