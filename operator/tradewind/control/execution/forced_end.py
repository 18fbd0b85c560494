"""Ends runs that can't be reconciled. Whatever a run's data do to its planner, the run ends when it is cancelled or its timeout expires."""

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
"""Consecutive failed passes before a run is ended without its planner. A terminated run ends at once, as none of its tasks may run."""
LARGE = ("outputs", "results", "produced", "failures", "skips", "nodes", "attempts", "archive", "params")
"""Fields that a status can do without if it would not fit otherwise."""
Save = Callable[[RunState, Run, merge_patch.Status], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class End:
    """How a run ends."""

    phase: str
    reason: str
    message: str


def breaks(error: Exception) -> bool:
    """Whether an error is caused by the run itself, so that the next pass would meet it too. Errors of the API server pass."""
    return not isinstance(error, errors.ApiError) or isinstance(error, errors.Invalid)


class Ender:
    """Ends runs without their planner. `save` writes a status; `again(uid, at)` has a run reconciled again at `at`, in the loop's time."""

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
        """Consecutive passes that failed because of the run itself."""

    def clear(self, state: RunState) -> None:
        """Resets the count after a pass that succeeded."""
        self._failed.pop(state, None)

    async def end_if_due(self, state: RunState, error: Exception) -> bool:
        """Handles a failed pass. Ends a run that is cancelled or timed out, and returns whether it did; another run is reconciled again at
        its timeout, at the latest. Raises errors of the API."""
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
        """Stops a run's tasks and writes its end, with as much of its previous status as fits. Raises errors of the API."""
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
        """The run's timeout in seconds, if it has a valid one."""
        name = str(run.status.get("revision") or "")
        try:
            timeout: Any = (await self._revisions.load(run.namespace, name)).spec.timeout
        except errors.NotFound:
            return None
        except errors.ApiError:
            raise
        except Exception:  # The timeout may be readable, whatever else is wrong with the definition.
            found = await self._client.get(REVISIONS, run.namespace, name)
            spec = (found.get("data") or {}).get("spec")
            timeout = spec.get("timeout") if isinstance(spec, dict) else None
        try:
            return seconds(timeout) if isinstance(timeout, str) else None
        except ValueError:
            return None
