"""One scenario, played from start to end."""

import asyncio
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

from tradewind.control.egress import client
from tradewind.control.manager import engine
from tradewind.kube.client import Object
from tradewind.local.apiserver import ApiServer, server, watch
from tradewind.local.apiserver.kinds import Registry
from tradewind.local.apiserver.operations import Operations
from tradewind.model.backfill import FINISHED
from tradewind.model.crd import manifests
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.outcomes.attempt import parse_key

from .clock import EPOCH, Stuck, VirtualLoop, play
from .expectation import RAN, expected
from .history import APPROVALS, RUNS, Execution, History, question
from .nodes import Nodes
from .outside import Outside
from .pacing import paced
from .replica import OWNER, Replica, own_tasks, to_outside
from .scenario import NEXT_DOOR, SHOWN, Scenario, Trouble
from .troubles import KINDS
from .wire import Network

PATIENCE = 3 * 3600.0
"""Seconds that a run may take, whatever happens: the longest back-off is minutes."""
SETTLE = 60.0
"""Seconds after the end in which the operator tidies up."""
TIDY = 300.0
"""The same if it deletes runs: after errors of the API server it retries with growing pauses."""
ENDING = ("Cancelled", "Terminated")
"""Desired states of a run that is to end."""


@cache
def _registry() -> Registry:
    """The served kinds; created once, since that takes longer than a scenario."""
    return ApiServer(crds=manifests()).operations.registry


class Simulation:
    """A cluster in which everything goes wrong that the scenario says."""

    def __init__(self, scenario: Scenario, loop: VirtualLoop) -> None:
        self.scenario, self.loop, self.history = scenario, loop, History()
        self.shift = 0.0
        """Seconds by which the operators' clock differs from the API server's."""
        self.server = ApiServer(clock=lambda: EPOCH + loop.time())
        self.server.operations.registry = copy.copy(_registry())
        self.nodes = Nodes(
            self.server.operations,
            self.history,
            self._code,
            lambda key: scenario.work(key).seconds,
            scenario.seed,
        )
        self.replicas: list[Replica] = []
        self._deadly: list[tuple[int, asyncio.Event]] = []
        loop.before_turn = self._before_turn

    @property
    def operator(self) -> Replica:
        """The one that is started again whenever it dies."""
        return self._operator

    async def run_to_end(self) -> History:
        """Plays the scenario."""
        self.loop.set_task_factory(own_tasks)
        self.runner = await self.server.open()
        self.outside = Outside(self.history, self.scenario).open()
        self.history.record(self.server.store, self.loop.time)
        if self.scenario.neighbour:
            self.create("", "namespaces", {"metadata": {"name": NEXT_DOOR}})
        for plural, body in self.scenario.objects:
            self.create("tradewind.dev", plural, body)
        nodes = asyncio.ensure_future(self.nodes.run())
        self.start()
        troubles = [asyncio.ensure_future(self._trouble(item)) for item in self.scenario.troubles]
        people = [asyncio.ensure_future(what) for what in (self._decide(), self._rework())]
        await asyncio.gather(*troubles)
        while not self._over() and self.loop.time() < PATIENCE:
            await asyncio.sleep(1)
        await asyncio.sleep(SETTLE if self.scenario.kept is None else TIDY)
        for replica in self.replicas:
            replica.kill()
        nodes.cancel()
        for person in people:
            person.cancel()
        await self.server.stop()
        return self.history

    async def _trouble(self, trouble: Trouble) -> None:
        await asyncio.sleep(trouble.at)
        if await KINDS[trouble.kind](self, trouble):
            self.history.faults.append(trouble.kind)

    async def _decide(self) -> None:
        """Someone decides each approval, some time after it was created. Whose decision came before the operator had seen the question waits
        for that next time."""
        asked: dict[str, float] = {}
        hasty: set[tuple[str, str]] = set()
        while any(task.does == "approval" for task in self.scenario.tasks.values()):
            await asyncio.sleep(1)
            for body in self.server.store.list(APPROVALS):
                uid, unit = question(body)
                task = self.scenario.tasks[parse_key(unit)[0]]
                task = task.mended if uid in self.history.reworked else task
                since = asked.setdefault(body["metadata"]["uid"], self.loop.time())
                outcome = (body.get("status") or {}).get("outcome", "")
                if outcome == "Invalid":
                    hasty.add((uid, unit))
                open_ = outcome == "Pending" or not (outcome or (uid, unit) in hasty)
                if open_ and not body["spec"].get("decision") and self.loop.time() >= since + task.seconds:
                    said = {"decision": "Rejected" if task.fails else "Approved", "by": "somebody"}
                    self._change("approvals", body["metadata"]["name"], **said)
                    self.history.decided.append((self.loop.time(), uid, unit))

    def _code(self, execution: Execution, number: int) -> int:
        task = self.scenario.work(execution.key)
        return (task.mended if execution.run_uid in self.history.reworked else task).code(number)

    async def _rework(self) -> None:
        """Someone works on each run, some time after its end."""
        ended: dict[str, float] = {}
        while (rework := self.scenario.rework) is not None:
            await asyncio.sleep(1)
            for name in filter(self._to_rework, self.scenario.names):
                uid = self.run(name)["metadata"]["uid"]
                if self.loop.time() >= ended.setdefault(uid, self.loop.time()) + rework.after:
                    self.history.reworked[uid] = self.loop.time()
                    edits = [{"action": "Clear", "tasks": [rework.task], "by": "somebody"}]
                    what = {"edits": edits} if rework.task else {"retryFailed": 1}
                    self._change("dagruns", name, desiredState="Running", **what)
                    self.history.desired[uid].append((self.loop.time(), "Running"))

    def _reopens(self, name: str) -> bool:
        """Whether a run on which someone works is still as it was."""
        run = self.run(name)
        status = run.get("status") or {}
        done = status.get("retried") or status.get("edited")
        return bool(run) and run["metadata"]["uid"] in self.history.reworked and not done

    def _to_rework(self, name: str) -> bool:
        """Whether someone will work on a run that has ended."""
        run, rework = self.run(name), self.scenario.rework
        if rework is None or not run or self.history.touched[name] or "DAG deleted" in self.history.faults:
            return False
        states, phase = expected(self.scenario)
        useful = states[rework.task] in RAN if rework.task else phase == "Failed"
        return (
            useful
            and run["metadata"]["uid"] not in self.history.reworked
            and run.get("status", {}).get("phase") == phase
        )

    def _over(self) -> bool:
        """Whether all runs and containers have ended, and what created the runs is done."""
        runs = all(self._ended(name) for name in self.scenario.names)
        beside = (self.server.store.get(RUNS, NEXT_DOOR, name) or {} for name in self.scenario.neighbours)
        runs = runs and all((run.get("status") or {}).get("phase") in FINAL_PHASES for run in beside)
        runs = runs and (not self.scenario.shown or self._ended(SHOWN))
        runs = runs and not any(self._to_rework(name) or self._reopens(name) for name in self.scenario.names)
        return runs and not self.nodes.alive and self._maker_done()

    def _maker_done(self) -> bool:
        if self.scenario.maker == "sensor":
            return True  # it polls without end; its runs have been checked
        bodies = [
            body for plural in ("triggers", "backfills") for body in self.server.store.list(f"tradewind.dev/{plural}")
        ]
        done = {"Done", *FINISHED}
        return (
            all((body.get("status") or {}).get("phase") in done for body in bodies)
            or "DAG deleted" in self.history.faults
        )

    def _ended(self, name: str) -> bool:
        """Whether a run has ended, was deleted by someone or by its DAG's history, or a tick has none."""
        if run := self.run(name):
            return (run.get("status") or {}).get("phase") in FINAL_PHASES
        if self.history.last(name) is None:
            return self.scenario.concurrency in ("Forbid", "Replace")
        return name in self.history.deleted or self.scenario.kept is not None

    # Operators.

    def replica(self) -> Replica:
        """One more operator process."""
        network = Network(lambda: self.runner.server())  # type: ignore[misc]
        outside = Network(self.outside)
        name, clock = f"op-{len(self.replicas)}", lambda: EPOCH + self.loop.time() + self.shift
        made = Replica(name, network, outside, clock, self.history, paced(f"{self.scenario.seed}/{len(self.replicas)}"))
        self.replicas.append(made)
        return made

    def start(self) -> None:
        """The operator starts, unless it runs."""
        if not self.replicas or self._operator.dead:
            self._operator = self.replica()

    def kill(self) -> None:
        """The operator dies."""
        self._operator.kill()

    async def killed_at(self, turn: int) -> None:
        """Returns when the operator has died before a turn of the loop, between two of its awaits."""
        died = asyncio.Event()
        self._deadly.append((turn, died))
        await died.wait()

    def _before_turn(self, turn: int) -> None:
        for deadly in [item for item in self._deadly if turn >= item[0]]:
            self._deadly.remove(deadly)
            self._operator.kill()
            deadly[1].set()

    def blip(self) -> None:
        """Every connection breaks, and can be made again at once."""
        for replica in self.replicas:
            if not replica.dead:
                up = replica.network.up
                replica.network.cut()
                replica.network.up = up

    # What others do to objects.

    @property
    def _do(self) -> Operations:
        return self.server.operations

    def _kind(self, group: str, plural: str) -> Any:
        return self._do.kind(group, "v1alpha1" if group else "v1", plural)

    def create(self, group: str, plural: str, body: Object) -> None:
        """Someone creates an object."""
        kind = self._kind(group, plural)
        self._do.create(kind, body["metadata"].get("namespace", "default") if kind.namespaced else "", body)

    def delete(self, plural: str, name: str, group: str = "tradewind.dev") -> bool:
        """Someone deletes an object, if it exists."""
        kind = self._kind(group, plural)
        if self.server.store.get(kind.key, "default", name) is None:
            return False
        self._do.delete(kind, "default", name, {})
        return True

    def run(self, name: str) -> Object:
        """A run as it is stored; empty if it does not exist."""
        return self.server.store.get(RUNS, "default", name) or {}

    def some_run(self, trouble: Trouble) -> str:
        """The name of the run that a trouble affects."""
        names = self.scenario.names
        return names[trouble.pick % len(names)]

    def desire(self, name: str, state: str) -> bool:
        """Someone sets a run's desired state, unless it has ended or is cancelled."""
        run = self.run(name)
        if (
            not run
            or (run.get("status") or {}).get("phase") in FINAL_PHASES
            or run["spec"].get("desiredState") in ENDING
        ):
            return False
        if state in ENDING:
            self.history.touched[name].add("cancelled")
        self._change("dagruns", name, desiredState=state)
        self.history.desired[run["metadata"]["uid"]].append((self.loop.time(), state))
        return True

    def spec(self, trouble: Trouble, how: str, **changes: Any) -> bool:
        """Someone changes a run's spec, unless it has ended."""
        run = self.run(name := self.some_run(trouble))
        if not run or (run.get("status") or {}).get("phase") in FINAL_PHASES:
            return False
        self.history.touched[name].add(how)
        self._change("dagruns", name, **changes)
        return True

    def _change(self, plural: str, name: str, **changes: Any) -> None:
        kind = self._kind("tradewind.dev", plural)
        namespace = "default" if kind.namespaced else ""
        self._do.change(kind, namespace, name, lambda old: {**old, "spec": {**old["spec"], **changes}})

    def resize_pool(self, slots: int) -> None:
        """Someone sets the pool's slots."""
        for name in self.scenario.pools:
            self._change("clusterpools" if self.scenario.neighbour else "pools", name, slots=slots)

    def edit_dag(self, command: str) -> bool:
        """Someone changes the command of the DAG's tasks."""
        kind = self._kind("tradewind.dev", "dags")
        if self.server.store.get(kind.key, "default", "d") is None:
            return False

        def changed(old: Object) -> Object:
            spec = copy.deepcopy(old["spec"])
            spec["defaults"]["command"] = [command]
            return {**old, "spec": spec}

        self._do.change(kind, "default", "d", changed)
        return True


@contextmanager
def _quick() -> Iterator[None]:
    """Slows periodic work down: a simulated hour should cost no more than what happens in it."""
    with (
        mock.patch.object(server, "GC_EVERY", 2.0),
        mock.patch.object(watch, "BOOKMARK_EVERY", 55.0),
        mock.patch.object(engine, "TRIM", 1_000_000),
        mock.patch.object(client.aiohttp, "TCPConnector", to_outside),
    ):
        yield


def simulate(scenario: Scenario) -> tuple[History, dict[str, Object]]:
    """The history of a scenario, and the objects that are left at the end, by kind and name."""
    left: dict[str, Object] = {}
    history = History()

    async def main(loop: VirtualLoop) -> None:
        nonlocal history
        here = Simulation(scenario, loop)
        history = here.history
        try:
            await here.run_to_end()
        finally:
            OWNER.set(None)
            left.update({f"{kind}/{body['metadata']['name']}": body for kind, body in here.server.store.all()})

    _registry()  # created beforehand, so that it does not use the scenario's randomness
    with _quick():
        try:
            play(main, scenario.seed)
        except Stuck as error:
            history.crashes.append(f"the simulation stood still: {error}")
    return history, left
