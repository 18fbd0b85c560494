"""Pins the revisions of all sub-DAGs, at any depth, when a run begins. Later changes of the DAGs do not affect it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from tradewind.control.dagrun.run import Caller, Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags.approval_askers import called_dags
from tradewind.control.dags.call_params import call_params
from tradewind.control.dags.revisions import (
    Revision,
    Revisions,
    change_cause,
    content,
    local_revision,
    revision_name,
)
from tradewind.control.dags.template_index import Templates, rendered
from tradewind.control.pods.names import both_names
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.dag_name import home, local
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
"""DAGs that are pinned for one run. Further ones are used as they are when their runs begin."""
Pins = Mapping[str, str]
"""Names of revisions by DAG."""


@dataclass(slots=True)
class _Pinning:
    """The progress of pinning for one run."""

    found: dict[str, str]
    todo: deque[str]
    itself: bool = False
    """Whether the run's own DAG is called."""

    def add_local(self, dag: str, definition: Definition) -> None:
        """Pins the local DAGs of a DAG that is pinned. What these call is to be pinned too."""
        self.found |= local_pins(dag, self.found[dag], definition)
        for part in definition.local.values():
            self.todo += called_dags(part, dag)


def pins_of(run: Run) -> Pins:
    """The revisions to which a run that has begun is pinned."""
    found = run.status.get("calls")
    return {str(dag): str(name) for dag, name in found.items()} if isinstance(found, dict) else {}


def local_pins(dag: str, revision: str, definition: Definition) -> Pins:
    """The pins of the local DAGs in a revision of a DAG."""
    return {f"{dag}.{name}": local_revision(revision, name) for name in definition.local}


async def reached(revisions: Revisions, run: Run, definition: Definition, pins: Pins) -> Pins | None:
    """The pins of all DAGs that a run's definition calls, at any depth; None if one is not pinned or its revision is gone."""
    found, todo = dict[str, str](), called_dags(definition, run.home)
    while todo:
        if (name := todo.pop()) in found:
            continue
        if name not in pins:
            return None
        found[name] = pins[name]
        try:
            todo += called_dags(await revisions.load(run.namespace, pins[name]), home(name))
        except (NotFound, Invalid):
            return None
    return found


async def current_pins(client: Client, namespace: str, definition: Definition, dag: str) -> Pins | None:
    """The revisions to which the DAGs that the definition of a DAG calls, at any depth, would be pinned now; None if one would not. Raises
    errors of the API other than NotFound."""
    found, todo = dict[str, str](), called_dags(definition, dag)
    while todo:
        if (name := todo.pop()) in found:
            continue
        if len(found) == PINNED_DAGS_LIMIT:
            return None
        try:
            spec = (await client.get(DAGS, namespace, home(name)))["spec"]
            rendering = await rendered(client, namespace, home(name))
            whole = defined(rendering)
        except (NotFound, TemplateNotFound, Invalid):
            return None
        revision = revision_name(home(name), *content(rendering.spec, spec if uses_templates(spec) else None))
        part = whole.local.get(local(name)) if local(name) else whole
        if part is None:
            return None
        found[name] = local_revision(revision, local(name)) if local(name) else revision
        todo += called_dags(part, home(name))
    return found


class Calls:
    """Pins the DAGs that runs call. `known(uid)` returns the state of a run that has begun, if it is in memory; `waited(run)` returns
    whether an attempt of its caller waits for a run now."""

    def __init__(
        self,
        fresh: CoalescingReader,
        revisions: Revisions,
        templates: Templates,
        known: Callable[[str], RunState | None],
        waited: Callable[[Run], bool] = lambda run: False,
    ) -> None:
        self._fresh, self._revisions, self._templates, self._known = fresh, revisions, templates, known
        self._waited = waited
        self._pinnings: dict[str, _Pinning] = {}

    async def of_caller(self, run: Run) -> Pins:
        """The pins of the run's caller. Empty for a run whose claim to be part of another is false: pins would let it run an old
        revision."""
        if run.caller is None:
            return {}
        state = self._known(run.caller.uid)
        caller = state.run if state else await self._read(run.namespace, run.caller)
        if caller is None or run.name not in both_names(caller.facts, _start(run.caller)):
            return {}
        if state and state.planner and not _made_by(state.planner, run, run.caller):
            return {}
        return pins_of(caller)

    def due(self, run: Run) -> bool | None:
        """Whether a run of a local DAG is what an attempt of its caller waits for now: only the caller decides when it begins. None if it
        can't be that of any attempt."""
        caller = run.caller
        if caller is None:
            return None
        state = self._known(caller.uid)
        if state is None or (planner := state.planner) is None:
            return False
        start = _start(caller)
        if run.name not in both_names(state.run.facts, start) or not _calls(planner, start.task, run.dag):
            return None
        return self._waited(run) and _made_by(planner, run, caller)

    async def _read(self, namespace: str, caller: Caller) -> Run | None:
        try:
            found = read_run(await self._fresh.get(RUNS, namespace, caller.run))
        except (NotFound, ValueError):
            return None
        return found if found.uid == caller.uid else None

    async def pin(
        self, run: Run, definition: Definition, revision: Revision, pins: Pins, wanted: Callable[[], bool]
    ) -> Pins | None:
        """Pins a run that begins with a revision; `pins` are those of its caller. A missing or invalid DAG is not pinned: its run waits for
        it, or fails, at that time. Returns None if pinning is not finished because the budget is spent or `wanted()` is false; the next
        pass continues it."""
        first = called_dags(definition, run.home)
        if not first or pins:  # Those of a DAG that its caller has not pinned are its own.
            return {**local_pins(run.dag, revision.name, definition), **pins} if first else {}
        pinning = self._pinnings.get(run.uid)
        if pinning is None or pinning.found[run.dag] != revision.name:
            pinning = self._pinnings[run.uid] = _Pinning({run.dag: revision.name}, deque(first))
            pinning.add_local(run.dag, definition)
        found, todo = pinning.found, pinning.todo
        while todo and len(found) <= PINNED_DAGS_LIMIT:
            if pacing.spent() or not wanted():
                return None
            name = todo.popleft()
            pinning.itself = pinning.itself or name == run.dag
            if name in found:
                continue
            try:
                dag = await self._fresh.get(DAGS, run.namespace, name)
                with budget.timed():
                    called, pin = await self._bind(run.namespace, name, dag)
            except (NotFound, TemplateNotFound, Invalid):
                continue
            found[name] = pin.name
            todo += called_dags(called, name)
            pinning.add_local(name, called)
        self.forget(run.uid)
        return found if pinning.itself else {name: bound for name, bound in found.items() if name != run.dag}

    def forget(self, uid: str) -> None:
        """Drops the progress of a run that has begun or is gone."""
        self._pinnings.pop(uid, None)

    async def _bind(self, namespace: str, name: str, dag: Object) -> tuple[Definition, Revision]:
        spec, source = dag["spec"], None
        if uses_templates(spec):
            found = await self._templates.resolve(("DAG", namespace, name), lambda find: render(spec, find))
            definition, spec, source = defined(found.result), found.result.spec, spec
        else:
            definition = self._revisions.at_hand(namespace, name, spec) or define(spec)
        cause = change_cause(dag)
        return definition, await self._revisions.bind(namespace, name, spec, definition, source=source, cause=cause)


def _start(caller: Caller) -> Start:
    task, index = parse_key(caller.task)
    return Start(task, index, caller.number, "")


def _made_by(planner: Planner, run: Run, caller: Caller) -> bool:
    """Whether a run has the DAG and the params of the call that its labels name."""
    start = _start(caller)
    task = planner.definition.tasks.get(start.task)
    if task is None or not _calls(planner, start.task, run.dag) or caller.task not in planner.ledger.units:
        return False
    assert task.dag is not None  # noqa: S101 - it calls a DAG
    try:
        params = call_params(planner, task.dag, Renderer(start.task, planner.ledger.evaluator(start.key, start.number)))
    except Unrenderable:
        return False
    return bool(orjson.loads(orjson.dumps(params)) == run.params)


def _calls(planner: Planner, name: str, dag: str) -> bool:
    """Whether a task calls a DAG."""
    task = planner.definition.tasks.get(name)
    return task is not None and task.dag is not None and task.dag.within(home(planner.ledger.run.dag)) == dag
