"""Sub-DAGs: runs that are tasks of other runs. Makes them, waits for their end, and cancels those that nothing waits for."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from tradewind import API_VERSION
from tradewind.control.dagrun.run import Caller, Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.writes import cancel
from tradewind.control.dags.approval_askers import called_dags
from tradewind.control.dags.call_pins import local_pins, pins_of
from tradewind.control.dags.revisions import Revisions
from tradewind.control.podless.descendants import TOO_DEEP, TOO_MANY, Descendants
from tradewind.control.pods.labels import labels, owner, pool_labels
from tradewind.control.pods.names import both_names
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists, Invalid, NotFound
from tradewind.kube.labels import DAG, DEPTH, HOW, ROOT, TRIGGER_DEPTH
from tradewind.kube.resources import RUNS
from tradewind.model.dag_name import home
from tradewind.plan.dags.local_dags import MOST_DEEP
from tradewind.plan.documents.problem import Invalid as InvalidSpec
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.outcomes.state import FINAL
from tradewind.plan.runs.decision import RunFacts, Start
from tradewind.plan.runs.planner import Planner

RESYNC_SECONDS = 60.0
"""Seconds after which a run is read again, in case an event was missed."""
Say = Callable[[str], None]
"""Receives what an attempt waits for, in words."""
_Place = tuple[str, str, int]
"""Uid of the calling run, task or item, attempt."""


DECISIONS = ("Declined", "ApprovalTimeout")
"""Reasons of an approval that was not given."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a DAG with params."""

    start: Start
    dag: str
    params: Mapping[str, Any]
    previous: int
    """The number of the previous attempt, whose run did not succeed and whose results are kept; 0 for none."""
    logical_date: str = ""
    """Of the run; empty for the dates of its caller."""

    def dates(self, run: RunFacts) -> dict[str, str]:
        """The dates of the run that `run` makes, by their names in its spec."""
        return {"logicalDate": self.logical_date} if self.logical_date else run.dates


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended; an empty reason means success."""

    reason: str
    message: str
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Waiting:
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    run: Run | None = None
    """None until the run is identified."""
    deleted: bool = False
    heard: dict[str, tuple[Run, bool]] = field(default_factory=dict)
    """By uid: runs seen before that whose labels claim this place, and whether they were deleted."""

    def take(self, run: Run, deleted: bool) -> None:
        """Takes news of a run whose labels claim this place."""
        if self.run is None:
            self.heard[run.uid] = (run, deleted)
        elif self.run.uid == run.uid and run.version >= self.run.version:
            self.run, self.deleted = run, deleted
            self.changed.set()

    def identify(self, run: Run) -> None:
        """Identifies the run."""
        self.run = run
        self.take(*self.heard.pop(run.uid, (run, False)))
        self.heard.clear()


class SubDAGs:
    """The runs that other runs wait for. `states` are the runs that have not ended, by uid; `wake(uid)` has a run reconciled;
    `refused(caller, name, why)` is called for a run that falsely claims to be the caller's."""

    def __init__(
        self,
        client: Client,
        states: Mapping[str, RunState],
        wake: Callable[[str], None],
        refused: Callable[[RunFacts, str, str], None] = lambda caller, name, why: None,
        revisions: Revisions | None = None,
    ) -> None:
        self._client, self._states, self._wake, self._refused = client, states, wake, refused
        self._revisions = revisions or Revisions(client)
        self._waiting: dict[_Place, _Waiting] = {}
        self._descendants = Descendants(states)
        self._parts: defaultdict[str, set[str]] = defaultdict(set)
        """Unfinished runs by the uid of the enclosing run."""

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted, and its state in memory is up to date."""
        self._descendants.seen(run, deleted)
        if run.final or deleted:
            self.wake_unwanted(run.uid)
        if (caller := run.caller) is None:
            return
        if run.final or deleted:
            self._parts[caller.uid].discard(run.uid)
            if not self._parts[caller.uid]:
                del self._parts[caller.uid]
        else:
            self._parts[caller.uid].add(run.uid)
        if waiting := self._waiting.get((caller.uid, caller.task, caller.number)):
            waiting.take(run, deleted)

    async def execute(self, run: RunFacts, call: Call, say: Say) -> Outcome:
        """Makes the run, unless that was done before, and waits for its end. Raises errors of the API."""
        start = call.start
        reason, words = self._descendants.refusal(run, call.dag)
        if reason:
            return Outcome(reason, words)
        place = (run.uid, start.key, start.number)
        waiting = self._waiting[place] = _Waiting()
        try:
            try:
                with self._descendants.reserve(run):
                    waiting.identify(await self._make(run, call))
            except Invalid as error:
                return Outcome("SubDAGFailed", f"the run of DAG {call.dag} was refused: {error.message}")
            return await self._wait_for_end(waiting, run, call, say)
        finally:
            del self._waiting[place]

    def waits_for(self, run: Run) -> bool:
        """Whether an attempt waits for a run that claims to be its own, or has yet to find or make it."""
        caller = run.caller
        waiting = self._waiting.get((caller.uid, caller.task, caller.number)) if caller else None
        return waiting is not None and (waiting.run is None or waiting.run.uid == run.uid)

    async def _wait_for_end(self, waiting: _Waiting, caller: RunFacts, call: Call, say: Say) -> Outcome:
        while True:
            run = waiting.run
            assert run is not None  # noqa: S101 - it was identified
            if run.final:
                # It may have begun after it was identified, with other labels or a changed DAG.
                why = (
                    "" if _is_of(run, caller, call.start) else "it began without the labels and the owner of its caller"
                )
                if why := why or await self._differs(run, caller, call):
                    return Outcome("SubDAGFailed", f"run {run.name} of DAG {run.dag} is not what the task calls: {why}")
                return outcome(run)
            if waiting.deleted:
                return Outcome("SubDAGDeleted", f"run {run.name} of DAG {run.dag} was deleted before it ended")
            say(_words(run))
            waiting.changed.clear()
            try:
                async with asyncio.timeout(RESYNC_SECONDS):
                    await waiting.changed.wait()
            except TimeoutError:
                found = await self._find(run.namespace, run.name)
                gone = found is None or found.uid != run.uid
                waiting.take(run if found is None or gone else found, gone)

    async def _make(self, run: RunFacts, call: Call) -> Run:
        """The run, created if it does not exist. Its second name is used if a run of a deleted caller had the usual one, which may be free
        by now."""
        names = both_names(run, call.start)
        for name in names:
            if found := await self._find_own(run, call, name):
                return found
        reuse = await self._previous(run, call)
        for name in names:
            try:
                body = _body(name, run, call, reuse)
                made = read_run(orjson.loads(await self._client.create(RUNS, run.namespace, body)))
                self._descendants.seen(made)  # Before the watch reports it: many are made at once.
                return made
            except AlreadyExists:
                if found := await self._find_own(run, call, name):
                    return found
        words = f"runs {names[0]} and {names[1]} are there, and none is that of {call.start.key}, attempt {call.start.number}"
        raise AlreadyExists(409, "AlreadyExists", f"{words}: delete them")

    async def _find_own(self, run: RunFacts, call: Call, name: str) -> Run | None:
        """The run of this name, if it was made by the call, as its status tells once it has begun and its labels before, and is what the
        call makes. Anyone who may create runs can set the labels and the owner of one."""
        found = await self._find(run.namespace, name)
        if found is None or not _is_of(found, run, call.start):
            return None
        if why := await self._differs(found, run, call):
            self._refused(run, name, why)
            return None
        return found

    async def _differs(self, found: Run, run: RunFacts, call: Call) -> str:
        """How a run differs from what the call makes; empty if it doesn't."""
        return _differs(found, run, call) or (await self._bound_otherwise(found, run, call) if _begun(found) else "")

    async def _bound_otherwise(self, found: Run, run: RunFacts, call: Call) -> str:
        """How the revisions and params to which a run was bound when it began differ from those of the call; empty if they don't."""
        state, revision = self._states.get(run.uid), str(found.status["revision"])
        pins = pins_of(state.run) if state else {}
        if pins.get(call.dag, revision) != revision:
            return f"it is bound to revision {revision}, and its caller to {pins[call.dag]}"
        try:
            definition = await self._revisions.load(run.namespace, revision)
        except (NotFound, InvalidSpec):
            return f"its revision {revision} is gone or can't be read"
        if not _alike(_plain(resolve(definition.spec.params, call.params)[0]), found.status.get("params") or {}):
            return "it began with other params"
        calls = {**local_pins(found.dag, revision, definition), **pins} if called_dags(definition, found.home) else {}
        if pins and pins_of(found) != calls:
            return "the DAGs that it calls are bound to revisions other than those of its caller"
        return ""

    async def _find(self, namespace: str, name: str) -> Run | None:
        try:
            return read_run(await self._client.get(RUNS, namespace, name))
        except NotFound:
            return None

    async def _previous(self, run: RunFacts, call: Call) -> str:
        """The name of the previous attempt's run, if its results can be reused."""
        if not call.previous:
            return ""
        before = _before(call)
        for name in both_names(run, before):
            found = await self._find(run.namespace, name)
            if found and _is_of(found, run, before) and found.dag == call.dag:
                return name if found.status.get("revision") else ""
        return ""

    async def cancel_unwanted(self, run: Run) -> bool:
        """Cancels a run whose enclosing run no longer needs it. Returns whether it did."""
        if run.caller is None or not (self._unwanted(run) or await self._overtaken(run)):
            return False
        parent = await self._enclosing(run)
        await cancel(self._client, run, "Terminated" if parent and parent.run.desired == "Terminated" else "Cancelled")
        return True

    def wake_unwanted(self, uid: str) -> None:
        """Wakes the parts of a run that it no longer needs, after the run was reconciled or deleted."""
        for part in self._parts.get(uid, ()):
            if part in self._states and (_touched(run := self._states[part].run) or self._unwanted(run)):
                self._wake(part)

    async def stays_ended(self, run: Run) -> bool:
        """Whether a run of a local DAG that has ended must not continue although it was retried or edited."""
        return bool(run.local) and run.reopened and not await self._counts(run)

    async def _overtaken(self, run: Run) -> bool:
        """Whether a run of a local DAG that people have retried or edited must end all the same."""
        return _touched(run) and not (run.final or run.cancelled) and not await self._counts(run)

    async def _counts(self, run: Run) -> bool:
        """Whether the attempt that made a run of a local DAG counts, and those that made the runs around it. Otherwise an approval before
        it may be asked again, or was declined."""
        for _ in range(MOST_DEEP + 1):  # Labels may claim a circle.
            if not run.local:
                return True
            parent = await self._enclosing(run)
            if run.caller is None or parent is None:
                return False
            if run.caller.number <= parent.attempts.cleared.get(run.caller.task, 0):
                return False
            run = parent.run
        return False

    async def _enclosing(self, run: Run) -> RunState | None:
        """The state of the run that made a run; None if there is none, or nobody can read it."""
        caller = run.caller
        if caller is None:
            return None
        if state := self._states.get(caller.uid):
            return state
        found = await self._find(run.namespace, caller.run)
        try:
            return RunState(found) if found and found.uid == caller.uid else None
        except ValueError:
            return None

    def _unwanted(self, run: Run) -> bool:
        """Whether to cancel or terminate a run because of its enclosing run. A run that people have retried or edited is left alone."""
        if run.caller is None or run.rounds or run.edits or run.final or run.desired == "Terminated":
            return False
        parent = self._states.get(run.caller.uid)
        if run.cancelled and not (parent and parent.run.desired == "Terminated"):
            return False
        return (
            not parent or parent.run.final or (parent.planner is not None and not _awaited(parent.planner, run.caller))
        )


def _touched(run: Run) -> bool:
    """Whether people have retried or edited a run of a local DAG, which only its enclosing run may run."""
    return bool(run.local) and bool(run.rounds or run.edits)


def _awaited(planner: Planner, caller: Caller) -> bool:
    """Whether an attempt is live, about to start or still to come: another operator may have made its run, or the caller's status was
    reset."""
    unit = planner.ledger.units.get(caller.task)
    if unit is None:
        return (
            parse_key(caller.task)[0] in planner.ledger.groups
            and planner.ledger.states[parse_key(caller.task)[0]] not in FINAL
        )
    return unit.state not in FINAL and caller.number >= (unit.live.number if unit.live else unit.next)


def _before(call: Call) -> Start:
    """The previous attempt."""
    return replace(call.start, number=call.previous)


def _is_of(found: Run, run: RunFacts, start: Start) -> bool:
    """Whether a run was made by this attempt."""
    caller = found.caller
    return caller is not None and (caller.uid, caller.task, caller.number) == (run.uid, start.key, start.number)


def _differs(found: Run, run: RunFacts, call: Call) -> str:
    """How a run differs from what the call makes; empty if it doesn't. Fields that people change later, priority and state, don't count,
    nor do edits unless the run was created with them."""
    if found.dag != call.dag:
        return f"it is of DAG {found.dag}"
    if not _alike(_plain(call.params), found.params):
        return "its params are others"
    if dict(found.dates) != call.dates(run) or found.queue:
        return "its dates or its queue are others"
    if found.only or found.until:
        return "it runs some of its tasks only"
    taken = found.reuse or {}
    if taken.get("rerun") or taken.get("only") or (taken and taken.get("run") not in both_names(run, _before(call))):
        return "it reuses results that are not those of the previous attempt"
    # The API server counts changes of the spec from 1, and the start of a deletion as one more.
    return "it was created with edits" if found.edits and found.generation - found.deleting <= 1 else ""


def _begun(run: Run) -> bool:
    return bool(run.status.get("revision"))


def _plain(params: Mapping[str, Any]) -> Any:
    """Params as they are read back."""
    return orjson.loads(orjson.dumps(dict(params)))


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 3 is 3.0, and not, as in Python, 1 is true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _words(run: Run) -> str:
    if run.phase == "Running":
        return f"waits for run {run.name} of DAG {run.dag}"
    message = run.status.get("message") or "it has not begun"
    return f"waits for run {run.name} of DAG {run.dag}, which is queued: {message}"


def outcome(run: Run) -> Outcome:
    """How a call ends whose run has ended."""
    message = run.status.get("message") or ""
    if run.phase == "Succeeded":
        return Outcome("", message, dict(run.status.get("results") or {}))
    for failure in run.status.get("failures") or ():
        if failure["reason"] in (TOO_DEEP, TOO_MANY):  # A retry at a higher level would not change that.
            return Outcome(failure["reason"], failure["message"])
        if failure["reason"] in DECISIONS and f"{failure['task']} ({failure['reason']}" in message:
            # The run has failed for it: nobody is asked again unless a person wants it.
            return Outcome(failure["reason"], f"run {run.name} of DAG {run.dag}: {message}")
    words = "was cancelled" if run.phase == "Cancelled" else "failed"
    return Outcome("SubDAGFailed", f"run {run.name} of DAG {run.dag} {words}: {message}")


def _body(name: str, run: RunFacts, call: Call, reuse: str) -> Object:
    start, led_to = call.start, {TRIGGER_DEPTH: str(run.trigger_depth)} if run.trigger_depth else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "metadata": {
            "name": name,
            "labels": {
                **pool_labels(start.pools),
                **labels(run, start),
                DAG: home(call.dag),
                DEPTH: str(run.depth + 1),
                ROOT: run.root or run.uid,
                HOW: "parent",
                **led_to,
            },
            "ownerReferences": [owner(run)],
        },
        "spec": {
            "dag": call.dag,
            **call.dates(run),
            **({"params": dict(call.params)} if call.params else {}),
            **({"reuse": {"run": reuse}} if reuse else {}),
        },
    }
