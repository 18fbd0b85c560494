"""What a run calls is pinned when it begins: the revisions of its sub-DAGs, at any depth. What is applied later does not change it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from tradewind.control.dagrun.run import Caller, Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags.call_params import call_params
from tradewind.control.dags.revisions import Revision, Revisions, change_cause
from tradewind.control.dags.template_index import Templates
from tradewind.control.pods.names import both_names
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube.client import Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS
from tradewind.plan import pacing
from tradewind.plan.dags.compile import TemplateNotFound, define, defined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner
from tradewind.plan.templates.render import render, uses_templates

PINNED_DAGS_LIMIT = 200
"""DAGs that are pinned for one run. What calls more of them has the others as they are when their runs begin."""
Pins = Mapping[str, str]
"""Names of revisions by DAG."""


@dataclass(slots=True)
class _Pinning:
    """How far it has come with a run."""

    found: dict[str, str]
    todo: deque[str]
    itself: bool = False
    """Whether the run's own DAG is called."""


def pins_of(run: Run) -> Pins:
    """What a run that has begun is pinned to."""
    found = run.status.get("calls")
    return {str(dag): str(name) for dag, name in found.items()} if isinstance(found, dict) else {}


class Calls:
    """Pins the DAGs that runs call. `known(uid)` gives a run that has begun and is at hand."""

    def __init__(
        self,
        fresh: CoalescingReader,
        revisions: Revisions,
        templates: Templates,
        known: Callable[[str], RunState | None],
    ) -> None:
        self._fresh, self._revisions, self._templates, self._known = fresh, revisions, templates, known
        self._under_way: dict[str, _Pinning] = {}

    async def of_caller(self, run: Run) -> Pins:
        """What the run is pinned to that this one is a part of; nothing for one that only says it is a part of it: with the pins it would
        run what its DAG was, and not what it is."""
        if run.caller is None:
            return {}
        state = self._known(run.caller.uid)
        caller = state.run if state else await self._read(run.namespace, run.caller)
        if caller is None or run.name not in both_names(caller.facts, _start(run.caller)):
            return {}
        if state and state.planner and not _made_by(state.planner, run, run.caller):
            return {}
        return pins_of(caller)

    async def _read(self, namespace: str, caller: Caller) -> Run | None:
        try:
            found = read_run(await self._fresh.get(RUNS, namespace, caller.run))
        except (NotFound, ValueError):
            return None
        return found if found.uid == caller.uid else None

    async def pinned(
        self, run: Run, definition: Definition, revision: Revision, pins: Pins, wanted: Callable[[], bool]
    ) -> Pins | None:
        """What a run is pinned to that begins with a revision; `pins` are those of its caller. A DAG that is not there, or that is
        invalid, has nothing to pin: its run waits for it, or fails, as it is then. None where it is not done yet, since its time was over,
        or the run is not `wanted` as it was: what was found is kept for the next pass."""
        first = _called(definition)
        if not first or pins:
            return pins if first else {}
        under_way = self._under_way.get(run.uid)
        if under_way is None or under_way.found[run.dag] != revision.name:
            under_way = self._under_way[run.uid] = _Pinning({run.dag: revision.name}, deque(first))
        found, todo = under_way.found, under_way.todo
        while todo and len(found) <= PINNED_DAGS_LIMIT:
            if pacing.spent() or not wanted():
                return None
            name = todo.popleft()
            under_way.itself = under_way.itself or name == run.dag
            if name in found:
                continue
            try:
                dag = await self._fresh.get(DAGS, run.namespace, name)
                with budget.timed():
                    called, pin = await self._bound(run.namespace, name, dag)
            except (NotFound, TemplateNotFound, Invalid):
                continue
            found[name] = pin.name
            todo += _called(called)
        self.forget(run.uid)
        return found if under_way.itself else {name: bound for name, bound in found.items() if name != run.dag}

    def forget(self, uid: str) -> None:
        """A run has begun, or is gone."""
        self._under_way.pop(uid, None)

    async def _bound(self, namespace: str, name: str, dag: Object) -> tuple[Definition, Revision]:
        spec, source = dag["spec"], None
        if uses_templates(spec):
            rendered = await self._templates.resolved(("DAG", namespace, name), lambda find: render(spec, find))
            definition, spec, source = defined(rendered.result), rendered.result.spec, spec
        else:
            definition = self._revisions.at_hand(namespace, name, spec) or define(spec)
        cause = change_cause(dag)
        return definition, await self._revisions.bind(namespace, name, spec, definition, source=source, cause=cause)


def _start(caller: Caller) -> Start:
    task, index = parse_key(caller.task)
    return Start(task, index, caller.number, "")


def _made_by(planner: Planner, run: Run, caller: Caller) -> bool:
    """Whether a run has the DAG and the params of the call that it says it is."""
    start = _start(caller)
    task = planner.definition.tasks.get(start.task)
    if task is None or task.dag is None or task.dag.name != run.dag or caller.task not in planner.ledger.units:
        return False
    try:
        params = call_params(planner, task.dag, Renderer(start.task, planner.ledger.evaluator(start.key, start.number)))
    except Unrenderable:
        return False
    return bool(orjson.loads(orjson.dumps(params)) == run.params)


def _called(definition: Definition) -> list[str]:
    return [*dict.fromkeys(task.dag.name for task in definition.tasks.values() if task.dag)]
