"""A run may call many large DAGs: binding them takes long, and must not keep the run from its end."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from plan.game import defined
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags import call_pins, revisions
from tradewind.control.dags.call_pins import Calls
from tradewind.control.dags.revisions import Revision, Revisions
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS

from control.triggerworld import Server

TASKS = {f"t{number}": {"dag": {"name": f"d{number}"}} for number in range(5)}
FIRST = Revision("d-1", 1)


class Fresh:
    """The stored objects; counts requests."""

    def __init__(self, api: Server) -> None:
        self.api, self.asked = api, list[str]()

    async def get(self, resource: Any, namespace: str, name: str) -> Any:
        self.asked.append(name)
        return await self.api.get(resource, namespace, name)


class Bound(Revisions):
    """Names revisions by their DAG."""

    async def bind(self, namespace: str, dag: str, *_: Any, **__: Any) -> Revision:
        return Revision(f"{dag}-1", 1)


@pytest.fixture
def made() -> tuple[Calls, Fresh, Run]:
    api = Server(0.0)
    for name in ("d", *(f"d{number}" for number in range(5))):
        api.put(DAGS, {"metadata": {"name": name}, "spec": {"tasks": {"a": {"compute": {"n": "1"}}}}})
    fresh: Any = Fresh(api)
    templates: Any = None
    run = read_run(api.put(RUNS, {"metadata": {"name": "r"}, "spec": {"dag": "d"}}))
    return Calls(fresh, Bound(api), templates, lambda uid: None), fresh, run


async def once(found: Calls, run: Run, spent: Callable[[], bool], wanted: bool = True) -> Any:
    with mock.patch.object(call_pins.pacing, "spent", spent):
        return await found.pin(run, defined(TASKS), FIRST, {}, lambda: wanted)


async def test_a_pass_ends_when_its_time_is_over_and_the_next_one_goes_on(made: tuple[Calls, Fresh, Run]) -> None:
    found, fresh, run = made
    spent = iter([False, False, True])
    assert await once(found, run, lambda: next(spent)) is None
    assert fresh.asked == ["d0", "d1"]
    assert await once(found, run, lambda: False) == {f"d{number}": f"d{number}-1" for number in range(5)}
    assert fresh.asked == [f"d{number}" for number in range(5)]


async def test_a_run_that_has_changed_is_looked_at_first(made: tuple[Calls, Fresh, Run]) -> None:
    found, fresh, run = made
    assert await once(found, run, lambda: False, wanted=False) is None
    assert fresh.asked == []


async def test_definitions_in_memory_are_bounded_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "CACHED_BYTES", 1_000)
    api = Server(0.0)
    found = Revisions(api)
    asked = list[str]()

    async def get(resource: Any, namespace: str, name: str) -> Any:
        asked.append(name)
        if not name.startswith("r"):
            raise NotFound(404, "NotFound", name)
        return {"data": {"spec": {"tasks": {"a": {"compute": {"n": f"'{'x' * 300}'"}}}}}}

    monkeypatch.setattr(api, "get", get)
    for name in ("r1", "r2", "r1", "r3", "r1", "r2"):  # two of them fit
        await found.load("ns", name)
    assert asked == ["r1", "r2", "r3", "r2"]
