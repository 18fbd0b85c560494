"""Decides whether a run may begin, and to which revision it is bound."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.lean import MANY_PARAMS
from tradewind.control.dagrun.run import Caller, Run, read_run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.control.dagrun.status import condition
from tradewind.control.dags.bound_approvals import asking_bound
from tradewind.control.dags.call_pins import Calls, Pins, pins_of, reached
from tradewind.control.dags.revisions import Revision, Revisions, change_cause
from tradewind.control.dags.start_values import NotThere, StartValues
from tradewind.control.dags.template_index import Templates
from tradewind.control.execution import start_status
from tradewind.control.execution.concurrency import NEXT, Peer, age, in_queue, key_of, key_of_peer, turn, verdict
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube import merge_patch
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS, Key, deleting
from tradewind.model.bounded import MANY_VALUES
from tradewind.model.duration import instant
from tradewind.model.run import Edit, Reuse
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.compile import TemplateNotFound, define, defined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.selection import bypassed, select, selection_problems
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid, Problem, summary
from tradewind.plan.documents.read import read
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.outcomes.attempt import CANCELLED, Fixed
from tradewind.plan.runs.approved import Approvals
from tradewind.plan.runs.rework import reuse_problems, taken_over, unfit_at_start
from tradewind.plan.starts import pool_names
from tradewind.plan.starts.run_labels import rendered
from tradewind.plan.starts.start_values import variables
from tradewind.plan.templates.render import Ref, render, uses_templates

CALL_SECONDS = 1.0
"""Seconds until a run of a local DAG that no task has called is reconciled again."""
LOOK_AGAIN, LONGEST_LOOK = 10.0, 60.0
"""Seconds until a run that waits for a ConfigMap is reconciled again, at first and in the long run."""
Line = tuple[Definition, str | None]
"""The definition and the concurrency key that it gives a run."""
Room = tuple[str, str | None]
"""The queue of a run, and the concurrency key of those that may wait for it: None for all."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The resulting status of a run, and the runs that it replaces."""

    status: merge_patch.Status
    cancel: Sequence[Run] = ()
    again: bool = False
    """Whether the next pass should follow at once."""
    retry_after: float | None = None
    """Seconds after which the next pass follows, if nothing happens before."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the run gets before it begins."""


@dataclass(frozen=True, slots=True)
class Defined:
    """The current definition of a DAG, for runs that begin now."""

    version: str
    definition: Definition
    spec: Any = None
    """Its rendered spec, if it uses templates."""
    templates: Mapping[Ref, str] = field(default_factory=dict)
    """The versions of those templates."""


class RunStarter:
    """Decides which runs begin and binds them to their DAG's spec."""

    def __init__(
        self,
        client: Client,
        reader: CoalescingReader,
        revisions: Revisions,
        templates: Templates,
        backfilled: Callable[[Run], bool],
        clock: Callable[[], float],
        values: StartValues,
        known: Callable[[str], RunState | None] = lambda uid: None,
        waited: Callable[[Run], bool] = lambda run: False,
    ) -> None:
        """`backfilled` returns whether a backfill made a run; labels don't prove it, as the creator of a run sets them. `known` returns the
        state of a run by its uid, if it is in memory. `waited` returns whether an attempt of its caller waits for a run now."""
        self._client, self._fresh, self._backfilled, self._clock = client, reader, backfilled, clock
        self._revisions, self._templates = revisions, templates
        self._values = values
        self._calls = Calls(self._fresh, revisions, templates, known, waited)
        self._defined: dict[tuple[str, str], Defined] = {}
        self._admitted: WeakSet[RunState] = WeakSet()
        """Runs that are about to begin and count as active."""
        self._lines: WeakKeyDictionary[RunState, Line] = WeakKeyDictionary()
        """The concurrency keys of runs, as far as they were computed."""

    async def begin(self, state: RunState, peers: Callable[[], Iterable[RunState]]) -> Beginning:
        """Decides about a run. `peers` returns the runs of the same DAG. A run that may begin counts as active at once."""
        return self._timed(state.run, await self._begin(state, peers))

    def _timed(self, run: Run, step: Beginning) -> Beginning:
        """The step, with the missed deadline of a run that has not ended, or a look when it expires."""
        known = self._defined.get((run.namespace, run.dag))
        due = deadlines.due(run, known.definition.spec) if known else None
        if due is None or step.status["phase"] not in ("Queued", "Running"):
            return step
        if (left := due[2] - self._clock()) > 0:
            return replace(step, retry_after=min(left, left if step.retry_after is None else step.retry_after))
        words = deadlines.words([due])
        missed = condition(deadlines.MISSED, True, deadlines.MISSED, words, run, self._clock())
        return replace(step, status={**step.status, "conditions": [*step.status["conditions"], missed]})

    async def _begin(self, state: RunState, peers: Callable[[], Iterable[RunState]]) -> Beginning:
        run, now = state.run, self._clock()
        if run.cancelled:
            words = f"{'deleted' if run.deleting else 'cancelled'} before it began"
            return Beginning(start_status.stillborn(run, "Cancelled", CANCELLED, words, now))
        if problem := _wrong_date(run):
            return Beginning(start_status.stillborn(run, "Failed", "InvalidRun", problem, now))
        if run.params == MANY_PARAMS:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidParams", f"spec.params: {MANY_VALUES}", now))
        if run.local and (held := self._held_by_caller(run)):
            return held
        pins = await self._calls.of_caller(run)
        pinned = await self._pinned(run, pins)
        if (run.local or run.dag in pins) and pinned is None:
            words = f"revision {pins.get(run.dag, run.dag)} of DAG {run.dag}, to which its caller is bound, is gone or can't be read"
            return Beginning(start_status.stillborn(run, "Failed", "RevisionGone", words, now))
        dag: Object = {}
        current: Defined | None = None
        try:
            if not run.local:
                dag = await self._fresh.get(DAGS, run.namespace, run.dag, state.since)
                if deleting(dag):
                    raise NotFound(404, "NotFound", f"DAG {run.dag} is being deleted")
                with budget.timed():
                    current = await self._define(run, dag)
        except (NotFound, TemplateNotFound, Invalid) as error:
            if pinned is None:
                return self._missing(run, error)
            # It uses the revision that was current when its caller began.
        definition = pinned[0] if pinned else _of(current).definition
        ruling = definition if run.local else current and current.definition
        params, problems = resolve(definition.spec.params, run.params)
        if problems:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidParams", summary(problems), now))
        before = await self._values.wait_reason(run, definition)
        if ruling and (held := self._held_by_dag(state, ruling, params, peers, pinned is not None, before)):
            return held
        try:
            bound = await self._values.read(run, definition)
        except NotThere as error:
            words = f"{error}: the run begins when it is applied"
            return Beginning(
                start_status.queued(run, "ConfigMapNotFound", words, self._clock()),
                retry_after=look_again(now - run.created),
            )
        except Invalid as error:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidStartValues", str(error), self._clock()))
        revision = pinned[1] if pinned else await self._bind(run, dag, _of(current))
        calls = await self._calls.pin(run, definition, revision, pins, lambda: state.run is run)
        if calls is None:
            words = "the DAGs that it calls are being bound to their revisions"
            return Beginning(start_status.queued(run, "Binding", words, self._clock()), again=True)
        try:
            await self._check_selection(run, definition, calls)
            taken, outputs = await self._reused(run, definition, params, calls, bound)
        except Invalid as error:
            self.settle(state)
            reason = "InvalidReuse" if run.reuse else "InvalidRun"
            return Beginning(start_status.stillborn(run, "Failed", reason, str(error), now))
        try:
            labels = _labels(run, definition, params)
        except Invalid as error:
            return Beginning(start_status.stillborn(run, "Failed", "InvalidRunLabels", str(error), now))
        total, began = len(definition.tasks), self._clock()
        status = start_status.begun(run, revision, params, total, began, taken, outputs, calls, bound)
        return Beginning(status, labels=labels)

    def _held_by_caller(self, run: Run) -> Beginning | None:
        """The status of a run of a local DAG that no task makes, or not yet; None if one does."""
        now, due = self._clock(), self._calls.due(run)
        if due:
            return None
        if due is None:
            words = f"spec.dag: {run.dag} is local to DAG {run.home}, and only its tasks run it; run {run.home}"
            return Beginning(start_status.stillborn(run, "Failed", "InvalidRun", words, now))
        words = f"begins when a task of run {run.caller.run if run.caller else ''} calls it"
        return Beginning(start_status.queued(run, "NotCalled", words, now), retry_after=CALL_SECONDS)

    async def _pinned(self, run: Run, pins: Pins) -> tuple[Definition, Revision] | None:
        """The revision to which its caller has pinned a run, unless it was deleted."""
        if run.dag not in pins:
            return None
        try:
            definition = await self._revisions.load(run.namespace, pins[run.dag])
            return definition, await self._revisions.get(run.namespace, run.dag, pins[run.dag])
        except (NotFound, Invalid):
            return None

    def _missing(self, run: Run, error: Exception) -> Beginning:
        """The status of a run whose DAG is missing or invalid."""
        now = self._clock()
        if isinstance(error, TemplateNotFound):
            words = f"waits for {' and '.join(map(str, error.missing))}: it begins when that is applied"
            return Beginning(start_status.queued(run, "TemplateNotFound", words, now))
        if isinstance(error, NotFound):
            words = f"there is no DAG {run.dag!r} in namespace {run.namespace}: the run begins when it is applied"
            return Beginning(start_status.queued(run, "DAGNotFound", words, now))
        words = f"DAG {run.dag} is invalid: {error}"
        return Beginning(start_status.stillborn(run, "Failed", "InvalidDAG", words, now))

    def _held_by_dag(
        self,
        state: RunState,
        definition: Definition,
        params: Mapping[str, Any],
        peers: Callable[[], Iterable[RunState]],
        pinned: bool,
        before: str,
    ) -> Beginning | None:
        """The status of a run that its DAG's current spec holds back: it is suspended, or waits for the run `before` it, or for its turn.
        None if nothing does."""
        run, now = state.run, self._clock()
        if definition.spec.suspend or run.desired == "Suspended":
            what, which = (
                (f"DAG {run.dag} is", f"dag/{run.dag}") if definition.spec.suspend else ("the run is", run.name)
            )
            words = f"{what} suspended: `tradewind resume {which}`"
            return Beginning(start_status.queued(run, "Suspended", words, now))
        if before:
            return Beginning(start_status.queued(run, "PreviousRun", before, now))
        if definition.spec.max_active_runs is not None:
            try:
                key = key_of_peer(definition, run) if pinned else key_of(definition, run, params)
            except ExpressionError as error:
                return Beginning(
                    start_status.stillborn(run, "Failed", "ExpressionError", f"concurrencyKey: {error}", now)
                )
            self._lines[state] = (definition, key)
            self._compute_keys(definition, peers)
        return self._held_by_limits(state, definition, peers())

    async def _bind(self, run: Run, dag: Object, known: Defined) -> Revision:
        spec, source = (dag["spec"], None) if known.spec is None else (known.spec, dag["spec"])
        cause = change_cause(dag)
        return await self._revisions.bind(run.namespace, run.dag, spec, known.definition, source=source, cause=cause)

    async def _reused(
        self, run: Run, definition: Definition, params: Mapping[str, Any], calls: Pins, bound: Mapping[str, Any]
    ) -> tuple[Sequence[Fixed], Mapping[str, Any]]:
        """What the run, whose sub-DAGs are bound to `calls` and which has read `bound`, reuses of another one, and the outputs of that.
        Raises Invalid."""
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
            if run.caller and not _earlier_attempt(other, run.caller):
                return (), {}  # Someone deleted the previous attempt's run and made another one of this name.
            revision = await self._revisions.load(run.namespace, other.status.get("revision") or "")
        except NotFound:
            if run.caller:
                return (), {}  # The previous attempt's run was deleted: everything is done again.
            words = f"there is no run {reuse.run!r} that has begun, or its revision is gone"
            raise Invalid([Problem("spec.reuse.run", words, "name another run of the same DAG")]) from None
        planner = picture(other, revision, {}).planner
        assert planner is not None  # noqa: S101 - the picture has bound it
        within = await asking_bound(self._client, run, definition, calls)
        called = await reached(self._revisions, run, definition, calls)
        same_calls = called is not None and called.items() <= pins_of(other).items()
        facts = replace(run.facts, params=params, bound=dict(variables(bound)))
        return taken_over(planner, definition, reuse, facts, within, same_calls), other.status.get("outputs") or {}

    async def _check_selection(self, run: Run, definition: Definition, calls: Pins) -> None:
        """Raises Invalid for a run that leaves out what it must not."""
        if not run.only and not run.until:
            return
        problems = [*selection_problems(definition, run.only, run.until)]
        if run.reuse:
            problems.append(Problem("spec.reuse", "only and until exclude it", "write spec.reuse.only"))
        if not problems:
            within = await asking_bound(self._client, run, definition, calls)
            problems += bypassed(definition, run.only, run.until, Approvals(definition, within).asking)
            edits = [read(Edit, edit, f"spec.edits[{at}]") for at, edit in enumerate(run.edits)]
            problems += unfit_at_start(definition, edits, select(definition, run.only, run.until).left_out)
        if problems:
            raise Invalid(problems)

    def settle(self, state: RunState) -> None:
        """A run that was about to begin has begun, or has not; its status counts from now on."""
        self._admitted.discard(state)

    def run_gone(self, uid: str) -> None:
        """Drops a run that was deleted."""
        self._calls.forget(uid)

    def chained(self, namespace: str, dag: str) -> bool:
        """Whether runs of a DAG may wait for runs that have ended, until they are retried or deleted."""
        known = self._defined.get((namespace, dag))
        return known is not None and known.definition.spec.wait_for_previous

    def dag_changed(self, namespace: str, dag: str) -> None:
        """The spec of a DAG has changed, or the DAG was created or deleted."""
        self._fresh.changed(DAGS, namespace, dag)

    def forget(self, namespace: str, dag: str) -> None:
        """Drops the definition of a DAG without active runs."""
        self._defined.pop((namespace, dag), None)
        self._values.forget((namespace, dag))

    def _compute_keys(self, definition: Definition, peers: Callable[[], Iterable[RunState]]) -> None:
        """Computes the concurrency keys of all peers. That may take a while, and new peers may appear meanwhile."""

        def unknown_ones() -> list[RunState]:
            lines = self._lines
            return [state for state in peers() if state not in lines or lines[state][0] is not definition]

        while unknown := unknown_ones():
            for state in pacing.each(unknown):
                self._lines[state] = (definition, key_of_peer(definition, state.run))

    def _held_by_limits(self, state: RunState, definition: Definition, others: Iterable[RunState]) -> Beginning | None:
        """The status of a run that its concurrency limits hold back; None if they don't. It does not pause, so that of two runs one is
        admitted before the other asks."""
        run, now = state.run, self._clock()
        if definition.spec.max_active_runs is None and not run.queue:
            return None
        others = [other for other in others if other is not state and not other.run.final and not other.run.deleting]
        if not (queued := in_queue(run, (other.run for other in others))).begin:
            return Beginning(start_status.queued(run, "Queue", queued.message, now))
        if definition.spec.max_active_runs is None or self._backfilled(run):
            return None  # Backfills have a parallelism of their own.
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

    def room(self, run: Run, own: RunState | None) -> Room | None:
        """What a run, whose state is `own`, makes room for by having begun, ended or been deleted; None if no run is known to wait for that.
        Runs that have not asked yet will by themselves."""
        known = self._defined.get((run.namespace, run.dag))
        if known is None:
            return None
        spec = known.definition.spec
        if not run.queue and spec.max_active_runs is None and not spec.wait_for_previous:
            return None
        line = self._lines.get(own) if own else None
        return run.queue, line[1] if line else None

    def next_in_line(self, key: Key, rooms: Collection[Room], peers: Iterable[RunState]) -> list[RunState]:
        """The runs of a DAG to wake for `rooms`. Runs whose key is unknown have not asked yet, and will by themselves."""
        known = self._defined.get(key)
        if known is None:
            return []
        definition, found = known.definition, list[RunState]()
        waiting = [state for state in pacing.each([*peers]) if state.run.phase in ("", "Queued")]
        if definition.spec.wait_for_previous:
            found += nsmallest(NEXT, waiting, key=lambda state: (state.run.moment, *age(state.run)))
        of_queue, of_key = defaultdict[str, list[RunState]](list), defaultdict[str | None, list[RunState]](list)
        queues, keys = {queue for queue, _ in rooms if queue}, {key for _, key in rooms}
        for state in pacing.each(waiting):
            if state.run.queue in queues:
                of_queue[state.run.queue].append(state)
            if definition.spec.max_active_runs is not None and (line := self._lines.get(state)):
                for wanted in keys & {line[1], None}:
                    of_key[wanted].append(state)
        found += [min(line, key=lambda state: age(state.run)) for line in of_queue.values()]
        for rivals in of_key.values():
            found += nsmallest(NEXT, rivals, key=lambda state: turn(definition, state.run))
        return found

    async def _define(self, run: Run, dag: Object) -> Defined:
        """The DAG's definition, rendered with current templates. The last one is cached, since runs come in bursts. Raises Invalid, and
        TemplateNotFound."""
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


def look_again(waited: float) -> float:
    """Seconds until a run that has waited so long for a ConfigMap is reconciled again: thousands may wait for one that never comes."""
    return min(max(LOOK_AGAIN, waited / 10), LONGEST_LOOK)


def _labels(run: Run, definition: Definition, params: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels that its DAG gives a run. Raises Invalid, for names of pools too."""
    wanted = definition.spec.run_labels
    facts = replace(run.facts, params=params)
    pool_names.check(definition.tasks, definition.waiting_scope, facts.values())
    return rendered(wanted, definition.waiting_scope, facts.values()) if wanted else {}


def _earlier_attempt(other: Run, caller: Caller) -> bool:
    """Whether a run was made by an earlier attempt of the same task of the same run."""
    before = other.caller
    return (
        before is not None and (before.uid, before.task) == (caller.uid, caller.task) and before.number < caller.number
    )


def _wrong_date(run: Run) -> str:
    """What is wrong with the dates in the run's spec; empty if nothing is."""
    for name, text in run.dates.items():
        try:
            instant(str(text))
        except ValueError as error:
            return f"spec.{name}: {error}"
    return ""


def _of(known: Defined | None) -> Defined:
    assert known is not None  # noqa: S101 - without a pin there is one
    return known
