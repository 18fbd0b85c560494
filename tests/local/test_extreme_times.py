"""Durations of thousands of years, dates before Christ and schedules that never tick: refused, or reported in the
status; nothing hangs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.errors import Invalid
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS, Resource
from tradewind.local import session as local
from tradewind.local.session import Session, session
from tradewind.model.crd import manifests
from tradewind.model.duration import YEARS
from tradewind.plan.triggers.calendar import Calendar
from worlds.world import World, eventually

Body = dict[str, Any]
NEVER = {"cron": "0 0 29 2 *", "exclude": [{"weekdays": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]}]}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        dag = World("embedded", tmp_path, "default", "").dag("d", {"t": {"compute": {"n": "1"}}})
        await found.client.create(DAGS, "default", dag)
        yield found


def trigger(**schedule: Any) -> Body:
    spec = {"dag": "d", "schedule": schedule}
    return {"apiVersion": TRIGGERS.api_version, "kind": "Trigger", "metadata": {"name": "t"}, "spec": spec}


async def message(here: Session, resource: Resource, name: str) -> str:
    async def said() -> str:
        status = (await here.client.get(resource, "default", name)).get("status") or {}
        return status.get("message") or next((item["message"] for item in status.get("conditions") or []), "")

    return str(await eventually(said))


async def test_a_schedule_that_never_ticks_says_so(here: Session) -> None:
    await here.client.create(TRIGGERS, "default", trigger(**NEVER))
    assert await message(here, TRIGGERS, "t") == "no ticks are left"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({"cron": "@daily", "jitter": "3650d1s"}, "spec.schedule.jitter: '3650d1s' is longer than ten years"),
        ({"every": "9999d"}, "spec.schedule.every: '9999d' is longer than ten years"),
    ],
)
async def test_a_trigger_that_can_not_be_says_why(here: Session, schedule: Body, words: str) -> None:
    await here.client.create(TRIGGERS, "default", trigger(**schedule))
    assert words in await message(here, TRIGGERS, "t")


@pytest.mark.parametrize(
    "schedule",
    [{"cron": "@daily", "jitter": "999999999d"}, {"cron": "@daily", "start": "0001-01-01T00:00+14:00"}],
    ids=str,
)
async def test_what_is_beyond_any_bound_is_refused_at_apply(here: Session, schedule: Body) -> None:
    with pytest.raises(Invalid):
        await here.client.create(TRIGGERS, "default", trigger(**schedule))


async def test_a_trigger_whose_look_breaks_says_so(here: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(Calendar, "before", broken)
    await here.client.create(TRIGGERS, "default", trigger(cron="@daily"))
    assert await message(here, TRIGGERS, "t") == "it can't fire: OverflowError: date value out of range"


def earlier() -> list[Body]:
    """The CRDs from before dates had bounds."""
    text = json.dumps(manifests())
    return list(json.loads(text.replace(json.dumps(YEARS), '"."')))


async def test_a_run_about_a_day_that_is_none_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "manifests", earlier)
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        body = run_body("d", {}, "r")
        body["spec"]["logicalDate"] = "0001-01-01T00:00:00+14:00"
        await here.client.create(RUNS, "default", body)
        words = await eventually(lambda: final(here))
        assert "spec.logicalDate: '0001-01-01T00:00:00+14:00' is in none of the years" in words


async def final(here: Session) -> str:
    status = (await here.client.get(RUNS, "default", "r")).get("status") or {}
    return str(status["message"]) if status.get("phase") == "Failed" else ""
