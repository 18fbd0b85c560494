"""Reads what a run knows when it starts: earlier runs of its DAG, the values they left, and ConfigMaps."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.run_index import Entry, RunIndex, entry
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.labels import MANUAL
from tradewind.kube.resources import CONFIG_MAPS, RUNS, Key
from tradewind.model.duration import stamp
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.starts.past_runs import PastRun, awaited, last_success, predecessor, previous
from tradewind.plan.starts.start_values import described, kept_values
from tradewind.plan.triggers.newest_tick import BY_ITSELF, Place

BOUND_LIMIT = 64 * 1024
"""Bytes of what a run reads when it starts: its status holds them."""


class NotThere(Exception):
    """A ConfigMap that a run needs is missing. The message names it."""


async def no_ticks(run: Run) -> Place:
    """The place of a run that belongs to no tick."""
    return BY_ITSELF


class StartValues:
    """Reads values for runs that start."""

    def __init__(
        self, client: Client, reader: CoalescingReader, ticks: Callable[[Run], Awaitable[Place]] = no_ticks
    ) -> None:
        """`ticks` says where a run stands among the ticks of what made it; it raises NotThere and errors of the API."""
        self._client, self._reader, self._runs, self._ticks = client, reader, RunIndex(client), ticks

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted."""
        self._runs.seen(run, deleted)

    def forget(self, key: Key) -> None:
        """Drops the runs of a DAG without active runs."""
        self._runs.forget(key)

    async def wait_reason(self, run: Run, definition: Definition) -> str:
        """Which earlier run a run waits for, and what to do; empty if it may start. Raises errors of the API."""
        if not definition.spec.wait_for_previous:
            return ""
        found = awaited(entry(run), await self._others(run))
        if found is None:
            return ""
        which = f"run {found.name} of {stamp(found.moment)}"
        if found.phase == "Failed":
            return f"waits for {which}, which failed (waitForPrevious): retry it, or delete it to go on without it"
        return f"waits for {which} to succeed (waitForPrevious)"

    async def predecessor(self, run: Run) -> tuple[Entry | None, int]:
        """The run whose tasks a run's tasks wait for (waitForPrevious), and how many runs were looked through. Raises errors of the API."""
        others = await self._others(run)
        return predecessor(entry(run), others), len(others)

    def lost(self, namespace: str, run: Entry) -> None:
        """Drops an earlier run that does not exist any more."""
        self._runs.lost((namespace, run.dag), run.name)

    async def read(self, run: Run, definition: Definition) -> Mapping[str, Any]:
        """What the run knows from now on, as its status records it. Raises Invalid for values that can't be used, NotThere, and errors
        of the API."""
        found: dict[str, Any] = {}
        wanted = definition.start_values
        if wanted.past:
            success = await self._look_up(run, last_success)
            found["lastSuccess"] = _described(success, wanted.outputs)
            if "previous" in wanted.past:
                found["previous"] = _described(await self._look_up(run, previous), wanted.outputs)
            if definition.spec.keep:
                left = success.status.get("kept") if success else None
                found["kept"] = kept_values(definition.spec.keep, left or {}, success.name if success else "")
        if wanted.made & {"latest", "nextDate"}:
            place = await self._ticks(run)
            found |= {"latest": place.latest, "nextDate": place.next_date}
        if "trigger" in wanted.made:
            found["trigger"] = {"type": run.how or MANUAL, "name": run.maker}
        if definition.spec.config:
            configs = definition.spec.config.items()
            found["config"] = {name: await self._config(run, config.config_map) for name, config in configs}
        for name, value in found.items():
            if len(json.dumps(value, separators=(",", ":"))) > BOUND_LIMIT:
                path = {"kept": "spec.keep", "config": "spec.config"}.get(name, f"run.{name}.outputs")
                what = f"more than {BOUND_LIMIT // 1024} KiB, and a run records what it reads when it starts"
                raise Invalid([Problem(path, what, "hand on a reference, such as a path")])
        return found

    async def _others(self, run: Run) -> list[Entry]:
        runs = await self._runs.of((run.namespace, run.dag))
        return [other for other in pacing.each([*runs.values()]) if other.name != run.name and not other.partial]

    async def _look_up(self, run: Run, choose: Callable[[PastRun, Iterable[PastRun]], PastRun | None]) -> Run | None:
        """The current state of the chosen one of the earlier runs."""
        while found := choose(entry(run), await self._others(run)):
            try:
                other = read_run(await self._client.get(RUNS, run.namespace, found.name))
                if other.dag == run.dag:
                    return other
            except NotFound:
                pass
            self._runs.lost((run.namespace, run.dag), found.name)
        return None

    async def _config(self, run: Run, name: str) -> Mapping[str, str]:
        try:
            body = await self._reader.get(CONFIG_MAPS, run.namespace, name)
        except NotFound:
            raise NotThere(f"there is no ConfigMap {name!r} in namespace {run.namespace}") from None
        return {key: text for key, text in (body.get("data") or {}).items() if isinstance(text, str)}


def _described(run: Run | None, outputs: bool) -> Mapping[str, Any]:
    if run is None:
        return described("", "", "", {})
    return described(run.name, run.phase, run.facts.logical_date, run.status.get("results") or {} if outputs else {})
