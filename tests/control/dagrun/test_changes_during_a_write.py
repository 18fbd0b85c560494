"""What users change while the operator writes a status is processed, whether their version or its own is stored first."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.execution import status_writer
from tradewind.kube.labels import BACKFILL
from tradewind.kube.resources import RUNS

from control.runworld import Operated
from control.triggerworld import Body

PASSES = 20
"""Passes that are enough for a run to process a change."""


class Changed(Operated):
    """An operator that waits in one task of a run, and someone who changes the run while its status is written."""

    made_change = False
    """Whether the change during a write was made."""

    def __init__(self) -> None:
        super().__init__(
            bad={"compute": {"x": "1 / (run.attempt - run.attempt)"}},
            hold={"wait": {"duration": "1h"}},
        )
        self.runs.feed.seen(read_run(copy.deepcopy(self.new)), False)

    @property
    def stored(self) -> Body:
        """The stored run."""
        return self.api.objects[RUNS.plural, "r"]

    @property
    def status(self) -> Body:
        """Its status."""
        return dict(self.stored.get("status") or {})

    def change(self, spec: Body | None = None, **labels: str) -> None:
        """Someone changes the run, and the watch says so at once."""
        body = copy.deepcopy(self.stored)
        body["spec"] |= spec or {}
        body["metadata"]["labels"] |= labels
        body["metadata"]["generation"] += 1
        self.runs.feed.seen(read_run(copy.deepcopy(self.api.put(RUNS, body))), False)

    def change_during_write(self, moment: str, attempts: bool, spec: Body, **labels: str) -> None:
        """Someone changes the run before or after the write of the next status, which has new attempts or none."""

        def strike(status: Body) -> None:
            if status.get("phase") == "Running" and (status.get("attempts") != known) is attempts:
                self.api.before_write = self.api.after_write = lambda status: None  # type: ignore[method-assign]
                self.change(spec, **labels)
                self.made_change = True

        known = self.status.get("attempts") or ""
        setattr(self.api, f"{moment}_write", strike)

    async def settle(self, until: Callable[[], Any]) -> None:
        """Makes passes until something holds, or enough of them."""
        for _ in range(PASSES):
            if until():
                return
            await self.passes()
            for _ in range(10):
                await asyncio.sleep(0)


@pytest.fixture
async def changed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changed]:
    for name in ("COALESCE", "SHARE"):
        monkeypatch.setattr(status_writer, name, 0.0)
    made = Changed()
    yield made
    await made.runs.podless.close()


def _ended(changed: Changed) -> bool:
    return changed.status["phase"] == "Cancelled"


def _suspended(changed: Changed) -> bool:
    planner = changed.runs.states[changed.new["metadata"]["uid"]].planner
    return planner is not None and planner.ledger.suspended


MOMENTS = [
    pytest.param(moment, attempts, id=f"{moment} a write {'with' if attempts else 'without'} attempts")
    for moment in ("before", "after")
    for attempts in (True, False)
]


@pytest.mark.parametrize(("moment", "attempts"), MOMENTS)
@pytest.mark.parametrize(
    ("spec", "labels", "processed"),
    [
        pytest.param({"desiredState": "Cancelled"}, {}, _ended, id="cancelled"),
        pytest.param({"desiredState": "Terminated"}, {}, _ended, id="terminated"),
        pytest.param({"desiredState": "Suspended"}, {}, _suspended, id="suspended"),
        pytest.param({"retryFailed": 1}, {}, lambda changed: changed.status.get("retried") == 1, id="retried"),
        pytest.param(
            {"edits": [{"action": "Succeed", "tasks": ["hold"]}]},
            {},
            lambda changed: "hold ~Succeeded" in (changed.status.get("attempts") or ""),
            id="edited",
        ),
        pytest.param(
            {},
            {f"{BACKFILL}b": ""},
            lambda changed: "b" in changed.runs.states[changed.new["metadata"]["uid"]].run.backfills,
            id="labelled",
        ),
    ],
)
async def test_a_change_during_a_write_is_processed(
    changed: Changed,
    moment: str,
    attempts: bool,
    spec: Body,
    labels: dict[str, str],
    processed: Callable[[Changed], Any],
) -> None:
    await changed.settle(lambda: changed.status.get("revision"))
    if not attempts:
        await changed.settle(lambda: "bad " in (changed.status.get("attempts") or ""))
    changed.change_during_write(moment, attempts, spec, **labels)
    if not attempts:
        changed.change({"priority": 5})  # It is in the status as the observed generation.
    await changed.settle(lambda: processed(changed))
    assert changed.made_change and processed(changed), changed.status


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_failed_tasks_get_a_retry_that_is_asked_for_during_a_write(changed: Changed, moment: str) -> None:
    await changed.settle(lambda: "bad " in (changed.status.get("attempts") or ""))
    changed.change_during_write(moment, False, {"retryFailed": 1})
    changed.change({"priority": 5})
    await changed.settle(lambda: "#2" in changed.status["attempts"])
    assert changed.made_change and "#2" in changed.status["attempts"], changed.status


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_run_is_resumed_during_a_write(changed: Changed, moment: str) -> None:
    await changed.settle(lambda: "bad " in (changed.status.get("attempts") or ""))
    changed.change({"desiredState": "Suspended"})
    assert _suspended(changed)
    changed.change_during_write(moment, False, {"desiredState": "Running"})
    await changed.settle(lambda: not _suspended(changed))
    assert changed.made_change and not _suspended(changed)
