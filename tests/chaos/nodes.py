"""Scheduler, nodes and kubelets that follow a scenario: they see the store itself, and no fault of the API affects
them."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tradewind.kube.client import Object
from tradewind.kube.labels import ATTEMPT, ITEM, RUN, RUN_UID, TASK
from tradewind.local.apiserver.operations import Operations
from tradewind.local.apiserver.store import StoredEvent
from tradewind.plan.outcomes.attempt import key

from .history import PODS, Execution, History
from .scenario import ITEM as ITEM_VARIABLE

NOTICED = 0.4
"""Maximum seconds until a kubelet reacts to a change."""


@dataclass
class Node:
    """A machine. While it is not `up`, its containers continue, and nothing is reported of them."""

    name: str
    up: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    def __post_init__(self) -> None:
        self.up.set()


@dataclass
class _Running:
    execution: Execution
    kill: asyncio.Event = field(default_factory=asyncio.Event)
    ending: "asyncio.Task[None] | None" = None


class Nodes:
    """Runs every pod on a node until it ends. `code(execution, number)` is the exit code of a task's execution with this
    number, of those that end by themselves."""

    def __init__(
        self,
        operations: Operations,
        history: History,
        code: Callable[[Execution, int], int],
        slow: Callable[[str], float],
        seed: int,
        count: int = 3,
    ) -> None:
        self._do, self._history, self._code, self._slow, self._seed = operations, history, code, slow, seed
        self.nodes = [Node(f"node-{at}") for at in range(count)]
        self._pods: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, _Running] = {}
        self._ends: Counter[tuple[str, str, str]] = Counter()
        """Containers that ended by themselves, by run, its uid, and task or item."""
        self._tries: Counter[tuple[str, str, str]] = Counter()

    async def run(self) -> None:
        """Follows the pods, without end."""
        shelf = self._do.store.shelf(PODS)
        wake = asyncio.Event()
        shelf.waiters[wake] = None
        version = 0
        while True:
            wake.clear()
            news = [event for event in shelf.events if event.version > version]
            for event in news:
                version = event.version
                self._seen(event)
            await wake.wait()

    @property
    def alive(self) -> list[Execution]:
        """Containers that run now."""
        return [running.execution for running in self._running.values()]

    def _seen(self, event: StoredEvent) -> None:
        uid = event.object["metadata"]["uid"]
        deleted = event.type == "DELETED" or event.object["metadata"].get("deletionTimestamp")
        if deleted and (running := self._running.get(uid)):
            self._kill(running)
        if event.type == "ADDED":
            self._pods[uid] = asyncio.ensure_future(self._live(event.object))

    def _node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def _kill(self, running: _Running) -> None:
        """The kubelet, if it is reachable, kills the container."""

        async def kill() -> None:
            await asyncio.sleep(NOTICED / 2)
            await self._node(running.execution.node).up.wait()
            running.kill.set()

        running.ending = running.ending or asyncio.ensure_future(kill())

    def _stored(self, uid: str, name: str, namespace: str) -> Object | None:
        body = self._do.store.get(PODS, namespace, name)
        return body if body is not None and body["metadata"]["uid"] == uid else None

    async def _live(self, pod: Object) -> None:
        meta, labels = pod["metadata"], pod["metadata"]["labels"]
        unit = key(labels[TASK], int(labels[ITEM]) if ITEM in labels else None)
        who = (labels[RUN], labels[RUN_UID], unit)
        self._tries[who] += 1
        chance = Random(f"{self._seed}/{labels[RUN]}/{unit}/{self._tries[who]}")
        place = (meta["uid"], meta["name"], meta["namespace"])
        await asyncio.sleep(chance.choice([0.0, 0.05, 0.5, 2.0]))
        node = await self._free(chance)
        if not (body := self._stored(*place)):
            return
        if body["metadata"].get("deletionTimestamp"):
            self._do.store.remove(PODS, body)
            return
        bound = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._do.now()}
        spec = {**body["spec"], "nodeName": node.name}
        self._do.store.put(
            PODS, {**body, "spec": spec, "status": {**body["status"], "phase": "Pending", "conditions": [bound]}}
        )
        await asyncio.sleep(chance.choice([0.1, 0.3, 1.0, 3.0]))
        await node.up.wait()
        if node.gone:
            return
        body = self._stored(*place)
        if body is None or body["metadata"].get("deletionTimestamp") or body["status"].get("phase") == "Failed":
            if body is not None and body["metadata"].get("deletionTimestamp"):
                self._do.store.remove(PODS, body)
            return
        execution = Execution(*who, int(labels[ATTEMPT]), meta["name"], meta["uid"], node.name, 0)
        execution.item = _told(pod)
        await self._container(place, execution, chance)

    async def _free(self, chance: Random) -> Node:
        while True:
            up = [node for node in self.nodes if node.up.is_set() and not node.gone]
            if up:
                return chance.choice(up)
            await asyncio.sleep(1)

    async def _container(self, place: tuple[str, str, str], execution: Execution, chance: Random) -> None:
        loop = asyncio.get_running_loop()
        execution.started = loop.time()
        running = self._running[execution.uid] = _Running(execution)
        self._history.executions.append(execution)
        node, began = self._node(execution.node), self._do.now()
        self._say(place, "Running", {"running": {"startedAt": began}})
        body = self._stored(*place)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._kill(running)
        took = self._slow(execution.key) * chance.choice([0.1, 1.0, 1.0, 3.0])
        try:
            async with asyncio.timeout(took):
                await running.kill.wait()
        except TimeoutError:
            whose = self._history.whose(execution)
            who = (whose.run, whose.run_uid, whose.key)
            self._ends[who] += 1
            execution.code = self._code(execution, self._ends[who])
        execution.ended = loop.time()
        del self._running[execution.uid]
        await node.up.wait()
        if node.gone:
            return
        code = 143 if execution.code is None else execution.code
        words = json.dumps({"key": execution.key}) if code == 0 else ""
        state = {"exitCode": code, "message": words, "startedAt": began, "finishedAt": self._do.now()}
        state["reason"] = "Completed" if code == 0 else "Error"
        self._say(place, "Failed" if code else "Succeeded", {"terminated": state})
        if (body := self._stored(*place)) and body["metadata"].get("deletionTimestamp"):
            await asyncio.sleep(chance.uniform(0, NOTICED))
            if body := self._stored(*place):
                self._do.store.remove(PODS, body)

    def _say(self, place: tuple[str, str, str], phase: str, state: dict[str, Any]) -> None:
        """The kubelet's status of a pod that still exists; a pod that has ended does not change."""
        body = self._stored(*place)
        if body is None or body["status"].get("phase") in ("Succeeded", "Failed"):
            return
        status = {
            "name": "main",
            "image": "x",
            "imageID": "",
            "ready": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        self._do.store.put(PODS, {**body, "status": {**body["status"], "phase": phase, "containerStatuses": [status]}})

    # Events of pods and nodes. A pod that is deleted while its node is down stays until the node is back.

    def delete(self, body: Object, why: str = "", grace: int | None = None) -> None:
        """Deletes a pod as a user, or the control plane, does; `why` is the reason of its DisruptionTarget condition."""
        if why and body["status"].get("phase") not in ("Succeeded", "Failed"):
            condition = {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": why,
                "lastTransitionTime": self._do.now(),
            }
            conditions = [*body["status"].get("conditions", []), condition]
            body = self._do.store.put(PODS, {**body, "status": {**body["status"], "conditions": conditions}})
        meta = body["metadata"]
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        self._do.delete(self._do.kind("", "v1", "pods"), meta["namespace"], meta["name"], options)

    def remove_pod(self, body: Object) -> None:
        """Deletes a pod as a user who does not wait for the node: the object is removed, the container killed once its
        kubelet sees that."""
        if running := self._running.get(body["metadata"]["uid"]):
            running.execution.forced = True
        self.delete(body, grace=0)

    def refuse(self, body: Object) -> None:
        """The kubelet is short of something and evicts a pod: it is Failed, its container killed."""
        if body["status"].get("phase") in ("Succeeded", "Failed") or "nodeName" not in body["spec"]:
            return
        words = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        self._do.store.put(PODS, {**body, "status": {**body["status"], **words}})
        if running := self._running.get(body["metadata"]["uid"]):
            running.kill.set()

    def lose(self, node: Node) -> None:
        """The node becomes unreachable; later its pods are deleted."""
        node.up.clear()

    def taint(self, node: Node) -> None:
        """The node has been away for too long: its pods are marked for deletion. They stay until it is back."""
        for body in self._on(node):
            if not body["metadata"].get("deletionTimestamp"):
                self.delete(body, "DeletionByTaintManager")

    def remove(self, node: Node) -> None:
        """The machine is gone for good: its containers have ended, its pods are collected."""
        node.gone = True
        for running in list(self._running.values()):
            if running.execution.node == node.name:
                running.kill.set()
        node.up.set()
        for body in self._on(node):
            self.delete(body, "DeletionByPodGC", grace=0)
        self.nodes.append(Node(f"{node.name}-again"))

    def _on(self, node: Node) -> list[Object]:
        return [body for body in self._do.store.list(PODS) if body["spec"].get("nodeName") == node.name]


def _told(pod: Object) -> str:
    """The item that a pod's variable names."""
    env = pod["spec"]["containers"][0].get("env") or ()
    return next((str(entry.get("value")) for entry in env if entry["name"] == ITEM_VARIABLE), "")
