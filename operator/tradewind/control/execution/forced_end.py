"""Ending runs that can't be brought on. Whatever a run's data do to its planner, the run ends when someone says so, or its timeout."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from tradewind.control.dagrun import status as runstatus
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.writes import StatusTooLarge
from tradewind.control.dags.revisions import Revisions
from tradewind.control.execution.pod_remover import PodRemover
from tradewind.control.podless.executor import Podless
from tradewind.kube import errors, merge_patch
from tradewind.kube.client import Client
from tradewind.kube.log_fields import extra
from tradewind.kube.resources import REVISIONS
from tradewind.model.duration import seconds
from tradewind.plan.outcomes.attempt import CANCELLED, RUN_TIMEOUT

log = logging.getLogger(__name__)
TRIES = 3
"""Passes in a row that fail before a run is ended without its planner. One that is terminated needs none: nothing of it runs any more."""
LARGE = ("outputs", "results", "produced", "failures", "skips", "nodes", "attempts", "archive", "params")
"""What a status can do without, should it not fit otherwise."""
Save = Callable[[RunState, Run, merge_patch.Status], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class End:
    """How a run ends."""

    phase: str
    reason: str
    message: str


def breaks(error: Exception) -> bool:
    """Whether an error comes of what the run is, so that the next pass meets it too. The API server's troubles pass."""
    return not isinstance(error, errors.ApiError) or isinstance(error, errors.Invalid)


class Ender:
    """Ends runs without asking their planner. `save` writes a status; `again(uid, at)` lets a run be looked at again, in the loop's
    time."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        remover: PodRemover,
        podless: Podless,
        save: Save,
        again: Callable[[str, float], None],
        clock: Callable[[], float],
    ) -> None:
        self._client, self._revisions, self._remover, self._podless = client, revisions, remover, podless
        self._save, self._again, self._clock = save, again, clock
        self._failed: WeakKeyDictionary[RunState, int] = WeakKeyDictionary()
        """Passes in a row that failed for what a run is."""

    def passed(self, state: RunState) -> None:
        """A pass did not fail."""
        self._failed.pop(state, None)

    async def ended(self, state: RunState, error: Exception) -> bool:
        """Ends a run that is to end and whose pass failed; whether it did. One that may go on is looked at again at its timeout, at the
        latest. Raises what the API raises."""
        run = state.run
        failed = self._failed[state] = self._failed.get(state, 0) + 1
        if failed < TRIES and run.desired != "Terminated":
            return False
        words = f"; it could not be planned: {type(error).__name__}: {error}"[:1_024]
        if run.cancelled:
            what = "terminated" if run.desired == "Terminated" else "cancelled"
            await self.end(state, End("Cancelled", CANCELLED, f"{what}{words}"))
            return True
        if (limit := await self._limit(run)) is None:
            return False
        if (left := limit - runstatus.elapsed(run, self._clock())) <= 0:
            await self.end(state, End("Failed", RUN_TIMEOUT, f"the run took longer than its timeout{words}"))
            return True
        self._again(run.uid, asyncio.get_running_loop().time() + left)
        return False

    async def end(self, state: RunState, end: End) -> None:
        """Stops what a run has under way, and writes its end, with as much of what it has said before as fits. Raises what the API
        raises."""
        run = state.run
        log.error("run %s/%s ends: %s", run.namespace, run.name, end.message, extra=extra(**run.fields))
        self._podless.forget(state.run.uid)
        await self._remover.stop_all(state)
        status = runstatus.broken_off(state.run, end.phase, end.reason, end.message, self._clock())
        try:
            await self._save(state, state.run, status)
        except StatusTooLarge:
            await self._save(state, state.run, status | dict.fromkeys(LARGE))

    async def _limit(self, run: Run) -> float | None:
        """The run's timeout in seconds, if it has one that can be read."""
        name = str(run.status.get("revision") or "")
        try:
            timeout: Any = (await self._revisions.load(run.namespace, name)).spec.timeout
        except errors.NotFound:
            return None
        except errors.ApiError:
            raise
        except Exception:  # It may say that, whatever else is wrong with it.
            found = await self._client.get(REVISIONS, run.namespace, name)
            spec = (found.get("data") or {}).get("spec")
            timeout = spec.get("timeout") if isinstance(spec, dict) else None
        try:
            return seconds(timeout) if isinstance(timeout, str) else None
        except ValueError:
            return None
