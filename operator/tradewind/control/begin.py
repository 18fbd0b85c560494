"""Whether a run may begin, and bound to what."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from tradewind.control import runstatus
from tradewind.control.concurrency import NEXT, Peer, key_of, key_of_peer, turn, verdict
from tradewind.control.revisions import Revisions, change_cause
from tradewind.control.run import Run, read_run
from tradewind.control.view import View, picture
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.run import Reuse
from tradewind.plan.attempt import CANCELLED, Fixed
from tradewind.plan.cel import ExpressionError
from tradewind.plan.define import define, read
from tradewind.plan.definition import Definition
from tradewind.plan.params import resolve
from tradewind.plan.problem import Invalid, Problem, summary
from tradewind.plan.rework import reuse_problems, taken_over


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run's status says then, and which other runs have to make room."""

    status: runstatus.Status
    cancel: Sequence[Run] = ()


class Beginner:
    """Binds runs to their DAG's spec."""

    def __init__(self, client: Client, revisions: Revisions, clock: Callable[[], float]) -> None:
        self._client, self._revisions, self._clock = client, revisions, clock
        self._asked: dict[tuple[str, str], asyncio.Task[Object]] = {}
        """Requests for a DAG that wait for the one before them."""
        self._sent: dict[tuple[str, str], asyncio.Task[Object]] = {}
        self._defined: dict[tuple[str, str], tuple[str, Definition]] = {}

    async def begin(self, view: View, peers: Callable[[], Iterable[View]]) -> Beginning:
        """`peers` are the other runs of the same DAG. A run that may begin is marked as admitted at once, so that it counts."""
        run, now = view.run, self._clock()
        if run.cancelled:
            return Beginning(runstatus.stillborn(run, "Cancelled", CANCELLED, "cancelled before it began", now))
        try:
            dag = await self._dag(run.namespace, run.dag)
        except NotFound:
            words = f"there is no DAG {run.dag!r} in namespace {run.namespace}: the run begins when it is applied"
            return Beginning(runstatus.queued(run, "DAGNotFound", words, now))
        try:
            definition = self._define(run, dag)
        except Invalid as error:
            words = f"DAG {run.dag} is invalid: {error}"
            return Beginning(runstatus.stillborn(run, "Failed", "InvalidDAG", words, now))
        params, problems = resolve(definition.spec.params, run.params)
        if problems:
            return Beginning(runstatus.stillborn(run, "Failed", "InvalidParams", summary(problems), now))
        if definition.spec.suspend or run.desired == "Suspended":
            what = f"DAG {run.dag} is" if definition.spec.suspend else "the run is"
            return Beginning(runstatus.queued(run, "Suspended", f"{what} suspended: `tradewind resume`", now))
        if held := self._held(view, definition, params, peers()):
            return held
        try:
            taken, outputs = await self._taken_over(run, definition)
        except Invalid as error:
            view.admitted = False
            return Beginning(runstatus.stillborn(run, "Failed", "InvalidReuse", str(error), now))
        cause = change_cause(dag)
        revision = await self._revisions.bind(run.namespace, run.dag, dag["spec"], definition, cause=cause)
        begun = runstatus.begun(run, revision, params, len(definition.tasks), now, taken, outputs)
        return Beginning(begun)

    async def _taken_over(self, run: Run, definition: Definition) -> tuple[Sequence[Fixed], Mapping[str, Any]]:
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
            words = f"there is no run {reuse.run!r} that has begun, or its revision is gone"
            raise Invalid([Problem("spec.reuse.run", words, "name another run of the same DAG")]) from None
        board = picture(other, revision, {}).board
        assert board is not None  # noqa: S101 - the picture has bound it
        board.decide(0.0)
        return taken_over(board, definition, reuse), other.status.get("outputs") or {}

    def forget(self, namespace: str, dag: str) -> None:
        """A DAG has no runs under way any more."""
        self._defined.pop((namespace, dag), None)

    def _held(
        self, view: View, definition: Definition, params: dict[str, object], others: Iterable[View]
    ) -> Beginning | None:
        """What holds the run back, if anything."""
        run, now = view.run, self._clock()
        if definition.spec.max_active_runs is None:
            return None
        try:
            key = key_of(definition, run, params)
        except ExpressionError as error:
            return Beginning(runstatus.stillborn(run, "Failed", "ExpressionError", f"concurrencyKey: {error}", now))
        peers = [
            Peer(other.run, other.admitted or other.run.phase == "Running", self._key(definition, other))
            for other in others
            if other is not view and not other.run.final and not other.run.deleting
        ]
        decided = verdict(definition, run, key, peers)
        if decided.begin:
            view.admitted = True
            return None
        if decided.skip:
            status = runstatus.stillborn(run, "Cancelled", "Skipped", decided.message, now)
        else:
            status = runstatus.queued(run, "ConcurrencyLimit", decided.message, now)
        return Beginning(status, decided.cancel)

    def next_in_line(self, run: Run, peers: Iterable[View]) -> list[View]:
        """Of the runs of the same DAG those that look again when `run` has begun, ended or gone."""
        known = self._defined.get((run.namespace, run.dag))
        if known is None or known[1].spec.max_active_runs is None:
            return []  # Nobody waits for another run, as far as is known; who has not asked yet asks by itself.
        definition = known[1]
        key = key_of_peer(definition, run)
        waiting = [view for view in peers if view.run.phase in ("", "Queued") and self._key(definition, view) == key]
        return nsmallest(NEXT, waiting, key=lambda view: turn(definition, view.run))

    def _key(self, definition: Definition, view: View) -> str | None:
        """The concurrency key of a run, told once for each definition: lines can be thousands of runs long."""
        if view.line is None or view.line[0] is not definition:
            view.line = (definition, key_of_peer(definition, view.run))
        return view.line[1]

    def _define(self, run: Run, dag: Object) -> Definition:
        """The DAG's definition; the last one is kept, since runs come in bursts. Raises Invalid."""
        version = f"{dag['metadata']['uid']}/{dag['metadata'].get('generation')}"
        known = self._defined.get((run.namespace, run.dag))
        if known and known[0] == version:
            return known[1]
        definition = define(dag["spec"])
        self._defined[run.namespace, run.dag] = (version, definition)
        return definition

    async def _dag(self, namespace: str, name: str) -> Object:
        """The DAG as it is now. Runs that ask while a request is under way share the next one: its answer is as new as any of them
        wants, and a burst of runs costs few requests."""
        key = (namespace, name)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, self._sent.get(key)))
        return await asyncio.shield(task)

    async def _ask(self, key: tuple[str, str], before: asyncio.Task[Object] | None) -> Object:
        if before is not None:
            await asyncio.wait([before])
        self._sent[key] = self._asked.pop(key)
        try:
            return await self._client.get(DAGS, *key)
        finally:
            if key not in self._asked:
                del self._sent[key]
