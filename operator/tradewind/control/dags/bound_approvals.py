"""Tasks of an active run whose runs ask for approvals, by the revisions that those are bound to, whatever has changed in the DAGs since."""

from collections.abc import Collection, Iterator

import msgspec

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.status import Asked
from tradewind.control.dags.approval_askers import ASKERS_LIMIT, as_called, asking, called_dags
from tradewind.control.dags.call_pins import Pins, pins_of
from tradewind.control.dags.revisions import Revisions
from tradewind.control.pods.names import both_names
from tradewind.kube.client import Client
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pages import walk
from tradewind.kube.resources import RUNS
from tradewind.model.dag_name import home
from tradewind.model.run import Edit
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import rework

BOUND_RUNS_PAGE = 100


async def read_edits(client: Client, run: Run, planner: Planner) -> Asked:
    """The requested edits of a run, the resulting changes and their problems. Raises errors of the API."""
    edits, unread = list[Edit](), list[Problem]()
    for at, edit in enumerate(run.edits[run.edited :], run.edited):
        try:
            edits.append(read(Edit, edit, f"spec.edits[{at}]"))
        except (
            Invalid
        ) as error:  # An unreadable edit does nothing. It can't be removed, so it must not block later ones.
            unread += error.problems
            edits.append(Edit.model_construct(action="Clear", tasks=[]))
    within = await asking_now(client, run, planner)
    changes, problems = rework(planner, edits, run.edited, run.retried, within)
    return Asked(edits, changes, [*unread, *problems])


class _Meta(msgspec.Struct, frozen=True):
    name: str
    uid: str


class _Spec(msgspec.Struct, frozen=True):
    dag: str = ""


class _Status(msgspec.Struct, frozen=True):
    revision: str | None = None


class _Part(msgspec.Struct, frozen=True):
    """The relevant fields of a run of a sub-DAG."""

    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()


_PART = msgspec.json.Decoder(_Part)


async def asking_bound(client: Client, run: Run, definition: Definition, pins: Pins) -> Collection[str]:
    """The DAGs (`SubDAG.key`) run by tasks of a run's definition that ask for approvals: pinned ones by their revisions, others as they
    are now. Raises errors of the API."""
    return as_called(await _Bound(client, run.namespace).asking(definition, run.home, pins), run.home)


async def asking_now(client: Client, run: Run, planner: Planner) -> Collection[str]:
    """The DAGs (`SubDAG.key`) run by tasks of a run that ask for approvals: those found by `asking`, and those whose existing runs ask by the
    revisions that they are bound to. Raises errors of the API."""
    pins = pins_of(run)
    bound = _Bound(client, run.namespace)
    found = await bound.asking(planner.definition, run.home, pins)
    others = {*called_dags(planner.definition, run.home)} - found
    if not others:
        return as_called(found, run.home)
    parts = await bound.parts(run.uid)
    names = {part.metadata.name for part in parts}
    for dag, usual, other in _begun(run, planner, others):
        if names.isdisjoint((usual, other)):  # Anyone who may edit runs can remove the labels of one.
            parts += [part for name in (usual, other) if (part := await bound.run(name))]
            if bound.left < 0:
                found.add(dag)
    for part in parts:
        if part.spec.dag in others - found and await bound.asks(part):
            found.add(part.spec.dag)
    return as_called(found, run.home)


def _begun(run: Run, planner: Planner, dags: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """For the last attempt of each task or item that runs one of these DAGs: the DAG, and the two names that its run may have."""
    for name, task in planner.definition.tasks.items():
        if task.dag is None or (dag := task.dag.within(run.home)) not in dags:
            continue
        for unit in planner.ledger.members(name):
            last = max(unit.next - 1, unit.live.number if unit.live else 0)
            if last > 0:
                yield (dag, *both_names(run.facts, Start(name, unit.index, last, "")))


class _Bound:
    """Reads runs and revisions, at most `left` more. Beyond that, unknown ones count as asking."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace, self._revisions = client, namespace, Revisions(client)
        self._known: dict[str, bool | None] = {}
        """By revision: whether it asks; None where that depends on its own runs."""
        self.left = ASKERS_LIMIT

    async def asking(self, definition: Definition, home: str, pins: Pins) -> set[str]:
        """The called DAGs that ask: pinned ones by their revisions, others as they are now."""
        found = {dag for dag in await asking(self._client, self._namespace, definition, home) if dag not in pins}
        for dag in called_dags(definition, home):
            if dag in pins and await self.pinned_asks(dag, pins, set()):
                found.add(dag)
        return found

    async def parts(self, uid: str) -> list[_Part]:
        """The runs whose labels name the run with this uid as their caller."""
        return [
            part
            async for part in walk(
                self._client, RUNS, self._namespace, _PART, BOUND_RUNS_PAGE, labelSelector=f"{RUN_UID}={uid}"
            )
        ]

    async def run(self, name: str) -> _Part | None:
        """The run of this name."""
        self.left -= 1
        if self.left < 0:
            return None
        try:
            return _PART.decode(await self._client.get_raw(RUNS, self._namespace, name))
        except NotFound:
            return None

    async def asks(self, part: _Part) -> bool:
        """Whether a run or one of its own runs asks for approvals. A run that has not begun is not bound yet and doesn't count."""
        if not part.status.revision:
            return False
        if part.status.revision not in self._known:
            self._known[part.status.revision] = await self._revision_asks(part.status.revision, home(part.spec.dag))
        known = self._known[part.status.revision]
        if known is not None:
            return known
        self.left -= 1
        if self.left < 0:
            return True
        for inner in await self.parts(part.metadata.uid):
            if await self.asks(inner):
                return True
        return False

    async def pinned_asks(self, dag: str, pins: Pins, seen: set[str]) -> bool:
        """Whether a DAG, at its pinned revision, or one that it calls asks for approvals."""
        if dag in seen:
            return False
        seen.add(dag)
        self.left -= 1
        if self.left < 0:
            return True
        try:
            definition = await self._revisions.load(self._namespace, pins[dag])
        except (NotFound, Forbidden, Invalid):
            return True
        tasks = definition.tasks.values()
        if any(task.approval is not None for task in tasks):
            return True
        called = called_dags(definition, home(dag))
        if not pins.keys() >= {*called}:
            asked = await asking(self._client, self._namespace, definition, home(dag))
            if any(name in asked for name in called if name not in pins):
                return True
        return any([await self.pinned_asks(name, pins, seen) for name in called if name in pins])

    async def _revision_asks(self, name: str, dag: str) -> bool | None:
        self.left -= 1
        if self.left < 0:
            return True
        try:
            definition = await self._revisions.load(self._namespace, name)
        except (NotFound, Forbidden, Invalid):
            return True
        tasks = definition.tasks.values()
        if any(task.approval is not None for task in tasks):
            return True
        if not any(task.dag for task in tasks):
            return False
        return True if await asking(self._client, self._namespace, definition, dag) else None
