"""The runs below a run, at any depth: attempts of tasks that call another DAG."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.state import picture as pictured
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pages import items
from tradewind.kube.pod import Pod
from tradewind.kube.resources import RUNS
from tradewind.look.reading import StatusUnreadable, reading
from tradewind.look.run_rows import Part, Row, rows
from tradewind.look.waiting.survey import UIDS, pods_of
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid

PAGE = 500


def calls(definition: Definition | None) -> bool:
    """Whether a task of the DAG calls another DAG."""
    return definition is not None and any(task.dag for task in definition.tasks.values())


def _calls(view: RunState | None) -> bool:
    return calls(view.planner.definition) if view and view.planner else False


async def called_by(client: Client, namespace: str, uids: Iterable[str]) -> list[Run]:
    """The runs that are attempts of tasks of the runs with these uids, in the order of their attempts."""
    wanted, found = list(dict.fromkeys(uids)), []
    known = frozenset(wanted)
    for at in range(0, len(wanted), UIDS):
        selector = f"{RUN_UID} in ({','.join(wanted[at : at + UIDS])})"
        async for item in items(client, RUNS, namespace, PAGE, labelSelector=selector):
            run = read_run(orjson.loads(item))
            if run.caller and run.caller.uid in known:
                found.append(run)
    return sorted(found, key=lambda run: run.caller.number if run.caller else 0)


@dataclass(slots=True)
class RunTree:
    """Reads runs with all runs below them, and caches those that have ended."""

    client: Client
    namespace: str
    revisions: Revisions
    views: list[RunState] = field(default_factory=list)
    """The states of the run and of all runs below it, as last read."""
    _ended: dict[str, RunState | None] = field(default_factory=dict)

    async def rows(self, top: Run, view: RunState) -> list[Row]:
        """A row per task of a run, each with the runs that are its attempts. Raises StatusUnreadable."""
        views: dict[str, RunState | None] = {top.uid: view}
        parts: dict[str, list[Run]] = {}
        level = [top.uid] if _calls(view) else []
        while level:
            made = await called_by(self.client, self.namespace, level)
            pods = await pods_of(self.client, self.namespace, [run.uid for run in made if run.uid not in self._ended])
            level = []
            for run in made:
                parts.setdefault(run.caller.uid if run.caller else "", []).append(run)
                found = views[run.uid] = await self._view(run, pods.get(run.uid, {}))
                if _calls(found):
                    level.append(run.uid)
        self.views = [found for found in views.values() if found]
        return _nested(top, views, parts)

    async def _view(self, run: Run, pods: Mapping[str, Pod]) -> RunState | None:
        if run.uid in self._ended:
            return self._ended[run.uid]
        found = None
        try:
            if run.status.get("revision"):
                with reading(f"dagrun/{run.name}"):
                    definition = await self.revisions.load(self.namespace, run.status["revision"])
                    found = pictured(run, definition, pods)
        except (StatusUnreadable, NotFound, Invalid):
            found = None
        if run.final:
            self._ended[run.uid] = found
        return found


def _nested(run: Run, views: Mapping[str, RunState | None], parts: Mapping[str, list[Run]]) -> list[Row]:
    view = views.get(run.uid)
    if view is None:
        return []
    by_task: dict[str, list[Part]] = {}
    for part in parts.get(run.uid, ()):
        task = part.caller.task if part.caller else ""
        by_task.setdefault(task, []).append(Part(part, _nested(part, views, parts)))
    found = rows(view)
    for at, row in enumerate(found):
        if row.task in by_task:
            found[at] = row.with_parts(by_task[row.task])
    return found
