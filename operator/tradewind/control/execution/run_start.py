"""Whether a run may begin, and bound to what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from tradewind.control.dagrun.lean import MANY_PARAMS
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.control.dags.approval_askers import asking
from tradewind.control.dags.call_pins import Calls, Pins
from tradewind.control.dags.revisions import Revision, Revisions, change_cause
from tradewind.control.dags.template_index import Templates
from tradewind.control.execution import start_status
from tradewind.control.execution.concurrency import NEXT, Peer, age, in_queue, key_of, key_of_peer, turn, verdict
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube import merge_patch
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.bounded import MANY_VALUES
from tradewind.model.duration import instant
from tradewind.model.run import Reuse
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.compile import TemplateNotFound, define, defined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid, Problem, summary
from tradewind.plan.documents.read import read
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.outcomes.attempt import CANCELLED, Fixed
from tradewind.plan.runs.rework import reuse_problems, taken_over
from tradewind.plan.templates.render import Ref, render, uses_templates

Line = tuple[Definition, str | None]
"""A run's concurrency key, and the definition that gave it."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run's status says then, and which other runs have to make room."""

    status: merge_patch.Status
    cancel: Sequence[Run] = ()
    again: bool = False
    """Whether there is more to be done at once."""


@dataclass(frozen=True, slots=True)
class Defined:
    """What a DAG is to the runs that begin now."""

    version: str
    definition: Definition
    spec: Any = None
    """Its rendered spec, if it uses templates."""
    templates: Mapping[Ref, str] = field(default_factory=dict)
    """The versions of those."""


class RunStarter:
    """Binds runs to their DAG's spec."""

    def __init__(
        self,
        client: Client,
        revisions: Revisions,
        templates: Templates,
        backfilled: Callable[[Run], bool],
        clock: Callable[[], float],
        known: Callable[[str], RunState | None] = lambda uid: None,
    ) -> None:
        """`backfilled` says whether a backfill made a run. Labels don't: whoever creates a run writes them. `known` gives a run that is
        at hand, by its uid."""
        self._client, self._fresh, self._backfilled, self._clock = client, CoalescingReader(client), backfilled, clock
        self._revisions, self._templates = revisions, templates
        self._calls = Calls(self._fresh, revisions, templates, known)
        self._defined: dict[tuple[str, str], Defined] = {}
        self._admitted: WeakSet[RunState] = WeakSet()
        """Runs that are about to begin, and count as active."""
        self._lines: WeakKeyDictionary[RunState, Line] = WeakKeyDictionary()
        """Which runs each one waits with, as far as that has been worked out."""

    async def begin(self, state: RunState, peers: Callable[[], Iterable[RunState]]) -> Beginning:
        """`peers` are the other runs of the same DAG. A run that may begin is marked as admitted at once, so that it counts."""
        run, now = state.run, self._clock()
        if run.cancelled:
            return Beginning(start_status.stillborn(run, "Cancelled", CANCELLED, "cancelled before it began", now))
        if problem := _wrong_date(run):
            return Beginning(start_status.stillborn(run, "Failed", "InvalidRun", problem, now))
        if run.params == MANY_PARAMS:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidParams", f"spec.params: {MANY_VALUES}", now))
        pins = await self._calls.of_caller(run)
        pinned = await self._pinned(run, pins)
        try:
            dag = await self._fresh.get(DAGS, run.namespace, run.dag)
            with budget.timed():
                current = await self._define(run, dag)
        except (NotFound, TemplateNotFound, Invalid) as error:
            if pinned is None:
                return self._not_yet(run, error)
            dag, current = {}, None  # It goes on as it was when its caller began.
        definition = pinned[0] if pinned else _of(current).definition
        params, problems = resolve(definition.spec.params, run.params)
        if problems:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidParams", summary(problems), now))
        if current and (held := self._waits(state, current.definition, params, peers, pinned is not None)):
            return held
        try:
            taken, outputs = await self._taken_over(run, definition, params)
        except Invalid as error:
            self.settle(state)
            return Beginning(start_status.stillborn(run, "Failed", "InvalidReuse", str(error), now))
        revision = pinned[1] if pinned else await self._bind(run, dag, _of(current))
        calls = await self._calls.pin(run, definition, revision, pins, lambda: state.run is run)
        if calls is None:
            words = "the DAGs that it calls are being bound to their revisions"
            return Beginning(start_status.queued(run, "Binding", words, self._clock()), again=True)
        total, began = len(definition.tasks), self._clock()
        return Beginning(start_status.begun(run, revision, params, total, began, taken, outputs, calls))

    async def _pinned(self, run: Run, pins: Pins) -> tuple[Definition, Revision] | None:
        """The revision that its caller has pinned for a run, unless that was deleted."""
        if run.dag not in pins:
            return None
        try:
            definition = await self._revisions.load(run.namespace, pins[run.dag])
            return definition, await self._revisions.get(run.namespace, run.dag, pins[run.dag])
        except (NotFound, Invalid):
            return None

    def _not_yet(self, run: Run, error: Exception) -> Beginning:
        """Of a run whose DAG is not there, or not as it should be."""
        now = self._clock()
        if isinstance(error, TemplateNotFound):
            words = f"waits for {' and '.join(map(str, error.missing))}: it begins when that is applied"
            return Beginning(start_status.queued(run, "TemplateNotFound", words, now))
        if isinstance(error, NotFound):
            words = f"there is no DAG {run.dag!r} in namespace {run.namespace}: the run begins when it is applied"
            return Beginning(start_status.queued(run, "DAGNotFound", words, now))
        words = f"DAG {run.dag} is invalid: {error}"
        return Beginning(start_status.stillborn(run, "Failed", "InvalidDAG", words, now))

    def _waits(
        self,
        state: RunState,
        definition: Definition,
        params: Mapping[str, Any],
        peers: Callable[[], Iterable[RunState]],
        pinned: bool,
    ) -> Beginning | None:
        """What holds a run back, by what its DAG says now: it is suspended, or has its turn later."""
        run, now = state.run, self._clock()
        if definition.spec.suspend or run.desired == "Suspended":
            what, which = (
                (f"DAG {run.dag} is", f"dag/{run.dag}") if definition.spec.suspend else ("the run is", run.name)
            )
            words = f"{what} suspended: `tradewind resume {which}`"
            return Beginning(start_status.queued(run, "Suspended", words, now))
        if definition.spec.max_active_runs is not None:
            try:
                key = key_of_peer(definition, run) if pinned else key_of(definition, run, params)
            except ExpressionError as error:
                return Beginning(
                    start_status.stillborn(run, "Failed", "ExpressionError", f"concurrencyKey: {error}", now)
                )
            self._lines[state] = (definition, key)
            self._work_out_keys(definition, peers)
        return self._held(state, definition, peers())

    async def _bind(self, run: Run, dag: Object, known: Defined) -> Revision:
        spec, source = (dag["spec"], None) if known.spec is None else (known.spec, dag["spec"])
        cause = change_cause(dag)
        return await self._revisions.bind(run.namespace, run.dag, spec, known.definition, source=source, cause=cause)

    async def _taken_over(
        self, run: Run, definition: Definition, params: Mapping[str, Any]
    ) -> tuple[Sequence[Fixed], Mapping[str, Any]]:
        """What the run takes over from another one, with the outputs of that. Raises Invalid."""
        if run.reuse is None:
            return (), {}
        reuse = read(Reuse, run.reuse, "spec.reuse")
        if problems := [*reuse_problems(reuse, definition)]:
            raise Invalid(problems)
        try:
            other = read_run(await self._client.get(RUNS, run.namespace, reuse.run))
            if other.dag != run.dag:
                words = f"run {reuse.run} is of DAG {other.dag}"
                raise Invalid([Problem("spec.reuse.run", words, f"name a run of {run.dag}")])
            revision = await self._revisions.load(run.namespace, other.status.get("revision") or "")
        except NotFound:
            if run.caller:
                return (), {}  # Somebody deleted what the attempt before had done: all of it is done again.
            words = f"there is no run {reuse.run!r} that has begun, or its revision is gone"
            raise Invalid([Problem("spec.reuse.run", words, "name another run of the same DAG")]) from None
        planner = picture(other, revision, {}).planner
        assert planner is not None  # noqa: S101 - the picture has bound it
        within = await asking(self._client, run.namespace, definition)
        facts = replace(run.facts, params=params)
        return taken_over(planner, definition, reuse, facts, within), other.status.get("outputs") or {}

    def settle(self, state: RunState) -> None:
        """A run that was about to begin has, or has not: its status says so."""
        self._admitted.discard(state)

    def run_gone(self, uid: str) -> None:
        """A run is gone."""
        self._calls.forget(uid)

    def forget(self, namespace: str, dag: str) -> None:
        """A DAG has no runs under way any more."""
        self._defined.pop((namespace, dag), None)

    def _work_out_keys(self, definition: Definition, peers: Callable[[], Iterable[RunState]]) -> None:
        """Works out the concurrency keys of all peers. That may take a while, and others may come meanwhile."""

        def unknown_ones() -> list[RunState]:
            lines = self._lines
            return [state for state in peers() if state not in lines or lines[state][0] is not definition]

        while unknown := unknown_ones():
            for state in pacing.each(unknown):
                self._lines[state] = (definition, key_of_peer(definition, state.run))

    def _held(self, state: RunState, definition: Definition, others: Iterable[RunState]) -> Beginning | None:
        """What holds the run back, if anything. It does not pause: of two runs that ask, one is admitted before the other asks."""
        run, now = state.run, self._clock()
        if definition.spec.max_active_runs is None and not run.queue:
            return None
        others = [other for other in others if other is not state and not other.run.final and not other.run.deleting]
        if not (queued := in_queue(run, (other.run for other in others))).begin:
            return Beginning(start_status.queued(run, "Queue", queued.message, now))
        if definition.spec.max_active_runs is None or self._backfilled(run):
            return None  # A backfill has a parallelism of its own.
        peers = [self._peer(other) for other in others if not self._backfilled(other.run)]
        decided = verdict(definition, run, self._lines[state][1] or "", peers)
        if decided.begin:
            self._admitted.add(state)
            return None
        if decided.skip:
            status = start_status.stillborn(run, "Cancelled", "Skipped", decided.message, now)
        else:
            status = start_status.queued(run, "ConcurrencyLimit", decided.message, now)
        return Beginning(status, decided.cancel)

    def _peer(self, other: RunState) -> Peer:
        line = self._lines.get(other)
        return Peer(other.run, other in self._admitted or other.run.phase == "Running", line and line[1])

    def next_in_line(self, run: Run, own: RunState | None, peers: Iterable[RunState]) -> list[RunState]:
        """Of the runs of the same DAG those that look again when `run`, of which `own` is the state, has begun, ended or gone. Those whose
        key is not known have not asked yet, and ask by themselves."""
        known = self._defined.get((run.namespace, run.dag))
        if known is None:
            return []  # Nobody waits for another run, as far as is known; who has not asked yet asks by itself.
        definition = known.definition
        if not run.queue and definition.spec.max_active_runs is None:
            return []  # Nobody waits for its end. Looking for them would cost a burst of runs its square.
        waiting = [state for state in peers if state.run.phase in ("", "Queued")]
        found = []
        if run.queue and (queued := [state for state in waiting if state.run.queue == run.queue]):
            found.append(min(queued, key=lambda state: age(state.run)))
        if definition.spec.max_active_runs is not None:
            line = self._lines.get(own) if own else None
            rivals = [state for state in waiting if (of := self._lines.get(state)) and (line is None or of == line)]
            found += nsmallest(NEXT, rivals, key=lambda state: turn(definition, state.run))
        return found

    async def _define(self, run: Run, dag: Object) -> Defined:
        """The DAG's definition, rendered with the templates that there are now. The last one is kept, since runs come in bursts. Raises
        Invalid, and TemplateNotFound."""
        key, spec = (run.namespace, run.dag), dag["spec"]
        version = f"{dag['metadata']['uid']}/{dag['metadata'].get('generation')}"
        known = self._defined.get(key)
        if known and known.version == version:
            refs = known.templates
            if not refs or await self._templates.versions(run.namespace, refs) == refs:
                return known
        if uses_templates(spec):
            found = await self._templates.resolve(("DAG", *key), lambda find: render(spec, find))
            known = Defined(version, defined(found.result), found.result.spec, found.versions)
        else:
            known = Defined(version, define(spec))
        self._defined[key] = known
        return known


def _wrong_date(run: Run) -> str:
    """What is wrong with the dates that a run is about, if anything."""
    for name, text in run.dates.items():
        try:
            instant(str(text))
        except ValueError as error:
            return f"spec.{name}: {error}"
    return ""


def _of(known: Defined | None) -> Defined:
    assert known is not None  # noqa: S101 - without a pin there is one
    return known
