"""Everything that goes wrong, by kind: each is a coroutine that begins it, waits, and ends it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Any

from tradewind.kube.client import Object
from tradewind.kube.labels import ATTEMPT, RUN_UID, TASK
from tradewind.local.apiserver import Fault

from .history import APPROVALS, PODS, RUNS
from .scenario import Trouble

if TYPE_CHECKING:
    from .world import Simulation

Kind = Callable[["Simulation", Trouble], Awaitable[bool]]
"""Returns whether there was anything to affect."""
KINDS: dict[str, Kind] = {}
WRITES, READS = "create|patch|update|delete", "get|list"
OURS = "pods|dagruns|dags|controllerrevisions"
WRITING = 0.1
"""Seconds for which a write is on its way while someone changes its object."""
NEXT_WRITE = 30.0
"""Seconds after which someone no longer waits for a write."""


def kind(name: str) -> Callable[[Kind], Kind]:
    """Registers a kind of trouble."""

    def named(what: Kind) -> Kind:
        KINDS[name] = what
        return what

    return named


def _api(name: str, **fault: Any) -> None:
    """The API server has this fault for a while; watches start again, so that it affects them too."""

    async def strike(here: "Simulation", trouble: Trouble) -> bool:
        chance = Random(trouble.pick)
        made = Fault(**{"times": None, "probability": chance.choice([0.2, 0.5, 1.0]), **fault})
        here.server.faults.add(made)
        if made.verb == "list":
            here.server.faults.add(
                Fault("gone", verb="watch", resource="pods|dagruns|dags", times=3)
            )  # to be listed again
        if made.verb in ("watch", "list"):
            here.blip()
        await asyncio.sleep(trouble.seconds)
        made.times = 0
        return made.hits > 0

    KINDS[name] = strike


_api("429 with Retry-After", what="error", verb=f"{WRITES}|{READS}", code=429, retry_after=1)
_api("409", what="error", verb="patch|update", resource=OURS, code=409)
_api("500 before the effect", what="error", verb=f"{WRITES}|{READS}", code=500)
_api("500 after the effect", what="error", verb=WRITES, code=500, after=True)
_api("503", what="error", verb=f"{WRITES}|{READS}|watch", code=503)
_api("504 after the effect", what="error", verb=WRITES, code=504, after=True)
_api("reset before the effect", what="reset", verb=f"{WRITES}|{READS}")
_api("reset after the effect", what="reset", verb=WRITES, after=True)
_api("no answer, unknown outcome", what="hang", verb=WRITES, probability=0.2)
_api("slow answers", what="delay", verb=f"{WRITES}|{READS}", seconds=2.5)
_api("stale lists", what="stale", verb="list", resource=OURS, back=30)
_api("410 in watches", what="gone", verb="watch", probability=0.5)
_api("watches end", what="drop", verb="watch", probability=0.5)
_api("silent watches", what="stall", verb="watch")
_api("doubled events", what="duplicate", verb="watch")
_api("late pod events", what="delay", verb="watch", resource="pods", seconds=1.5, probability=1.0)
_api("late run events", what="delay", verb="watch", resource="dagruns", seconds=1.5, probability=1.0)


@kind("operator killed")
async def killed(here: "Simulation", trouble: Trouble) -> bool:
    here.kill()
    await asyncio.sleep(min(trouble.seconds, 5))
    here.start()
    return True


@kind("operator killed between two awaits")
async def killed_between(here: "Simulation", trouble: Trouble) -> bool:
    """Kills at a random turn of the loop, and again soon after the start."""
    chance = Random(trouble.pick)
    for _ in range(chance.randint(1, 4)):
        await here.killed_at(here.loop.turns + chance.randint(1, 400))
        here.start()
    return True


@kind("two leaders")
async def two_leaders(here: "Simulation", trouble: Trouble) -> bool:
    other = here.replica()
    await asyncio.sleep(trouble.seconds)
    other.kill()
    return True


@kind("API server out of reach")
async def partition(here: "Simulation", trouble: Trouble) -> bool:
    network = here.operator.network
    network.cut()
    await asyncio.sleep(trouble.seconds)
    if trouble.pick % 2:
        here.server.store.compact()
    if not here.operator.dead:
        network.fix()
    return True


@kind("history compacted")
async def compacted(here: "Simulation", trouble: Trouble) -> bool:
    here.server.store.compact()
    here.blip()
    return True


@kind("clock set")
async def clock(here: "Simulation", trouble: Trouble) -> bool:
    here.shift += Random(trouble.pick).choice([-3600, -30, 30, 3600])
    return True


def _pod(name: str, befall: Callable[["Simulation", Object], None]) -> None:
    """Registers a trouble of a pod."""

    async def strike(here: "Simulation", trouble: Trouble) -> bool:
        pods = here.server.store.list(PODS)
        if not pods:
            return False
        body = pods[trouble.pick % len(pods)]
        here.history.touched[body["metadata"]["name"]].add(name)
        befall(here, body)
        return True

    KINDS[name] = strike


_pod("pod deleted", lambda here, body: here.nodes.delete(body))
_pod("pod deleted by force", lambda here, body: here.nodes.remove_pod(body))
_pod("pod evicted", lambda here, body: here.nodes.delete(body, "EvictionByEvictionAPI"))
_pod("pod preempted", lambda here, body: here.nodes.delete(body, "PreemptionByScheduler"))
_pod("pod evicted by its node", lambda here, body: here.nodes.refuse(body))


@kind("labels taken off a pod")
async def unlabelled(here: "Simulation", trouble: Trouble) -> bool:
    """It costs nothing, so it does not count as a touch. An operator that starts later can't know everything about such
    a pod, only its owner."""
    pods = here.server.store.list(PODS)
    if not pods:
        return False
    body, chance = pods[trouble.pick % len(pods)], Random(trouble.pick)
    labels = dict(body["metadata"]["labels"])
    if any(other.kind.startswith("operator killed") or other.kind == "two leaders" for other in here.scenario.troubles):
        labels[RUN_UID] = "another"
    else:
        for label in chance.choice([(RUN_UID,), (RUN_UID, TASK), (TASK,), (ATTEMPT,), tuple(labels)]):
            labels.pop(label, None)
    here.server.store.put(PODS, {**body, "metadata": {**body["metadata"], "labels": labels}})
    return True


def _node(here: "Simulation", trouble: Trouble) -> Any:
    nodes = [node for node in here.nodes.nodes if node.up.is_set() and not node.gone]
    return nodes[trouble.pick % len(nodes)] if nodes else None


def _touch(here: "Simulation", node: Any, how: str) -> None:
    for body in here.server.store.list(PODS):
        if body["spec"].get("nodeName") == node.name:
            here.history.touched[body["metadata"]["name"]].add(how)


@kind("node lost, and back later")
async def lost(here: "Simulation", trouble: Trouble) -> bool:
    if not (node := _node(here, trouble)):
        return False
    here.nodes.lose(node)
    await asyncio.sleep(trouble.seconds / 10)
    if trouble.pick % 3:
        _touch(here, node, "node lost")
        here.nodes.taint(node)
    await asyncio.sleep(trouble.seconds * 9 / 10)
    node.up.set()
    return True


@kind("node gone for good")
async def gone(here: "Simulation", trouble: Trouble) -> bool:
    if not (node := _node(here, trouble)):
        return False
    here.nodes.lose(node)
    await asyncio.sleep(trouble.seconds / 2)
    _touch(here, node, "node gone")
    here.nodes.remove(node)
    return True


@kind("status rolled back")
async def rolled_back(here: "Simulation", trouble: Trouble) -> bool:
    name = here.some_run(trouble)
    body = here.server.store.get(RUNS, "default", name)
    if body is None or body["metadata"]["uid"] in here.history.reworked:
        return False  # what ran before someone worked on it, and what did not, depends on its end
    before = [status for _, status in here.history.statuses(name, body["metadata"]["uid"]) if status.get("phase")]
    if len(before) < 2:
        return False
    here.history.touched[name].add("rolled back")
    here.server.store.put(RUNS, {**body, "status": before[trouble.pick % (len(before) - 1)]})
    return True


@kind("run cancelled")
async def cancelled(here: "Simulation", trouble: Trouble) -> bool:
    return here.spec(trouble, "cancelled", desiredState="Cancelled")


async def _change_during_write(here: "Simulation", trouble: Trouble, desired: str) -> bool:
    """Someone changes a run's desired state while its status is on its way to the API server."""
    name, late = here.some_run(trouble), here.loop.time() + NEXT_WRITE
    write = Fault(
        "delay", verb="update", resource="dagruns", name=re.escape(name), seconds=WRITING, skip=trouble.pick % 3
    )
    here.server.faults.add(write)
    while not write.hits and here.loop.time() < late:
        await asyncio.sleep(WRITING / 10)
    write.times = 0
    return here.desire(name, desired)


def _during_write(desired: str) -> None:
    async def strike(here: "Simulation", trouble: Trouble) -> bool:
        return await _change_during_write(here, trouble, desired)

    KINDS[f"run {desired.lower()} during a write"] = strike


_during_write("Cancelled")
_during_write("Terminated")


@kind("run suspended during a write")
async def suspended(here: "Simulation", trouble: Trouble) -> bool:
    """And resumed during another one."""
    if not await _change_during_write(here, trouble, "Suspended"):
        return False
    await asyncio.sleep(trouble.seconds)
    await _change_during_write(here, trouble, "Running")
    return True


@kind("run deleted")
async def deleted(here: "Simulation", trouble: Trouble) -> bool:
    name = here.some_run(trouble)
    if not here.delete("dagruns", name):
        return False
    here.history.touched[name].add("deleted")
    return True


@kind("approval deleted")
async def approval_deleted(here: "Simulation", trouble: Trouble) -> bool:
    """The question is asked again."""
    there = [body["metadata"]["name"] for body in here.server.store.list(APPROVALS)]
    return bool(there) and here.delete("approvals", there[trouble.pick % len(there)])


@kind("DAG edited")
async def edited(here: "Simulation", trouble: Trouble) -> bool:
    return here.edit_dag(f"work-{trouble.pick}")


@kind("DAG deleted")
async def dag_deleted(here: "Simulation", trouble: Trouble) -> bool:
    waits = here.scenario.chained or any(task.follows for task in here.scenario.tasks.values())
    if waits or any(not (here.run(name).get("status") or {}).get("revision") for name in here.scenario.names):
        return False  # a run that has not begun waits for its DAG forever
    return here.delete("dags", "d")


@kind("pool closed and opened")
async def pool_closed(here: "Simulation", trouble: Trouble) -> bool:
    if not here.scenario.pool:
        return False
    here.resize_pool(0)
    await asyncio.sleep(trouble.seconds)
    here.resize_pool(here.scenario.pool)
    return True


@kind("trigger or backfill set back")
async def maker_set_back(here: "Simulation", trouble: Trouble) -> bool:
    """As by a restored backup: as if it had done nothing."""
    for key in ("tradewind.dev/triggers", "tradewind.dev/backfills"):
        for body in here.server.store.list(key):
            here.server.store.put(key, {**body, "status": {}})
            return True
    return False


@kind("quota appears and vanishes")
async def quota(here: "Simulation", trouble: Trouble) -> bool:
    here.create(
        "",
        "resourcequotas",
        {"metadata": {"name": f"q{trouble.pick}"}, "spec": {"hard": {"pods": str(trouble.pick % 3)}}},
    )
    await asyncio.sleep(trouble.seconds)
    return here.delete("resourcequotas", f"q{trouble.pick}", group="")
