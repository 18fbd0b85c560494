"""The book of pools: how many slots they have, who holds them (counted from what lives: pods, runs of sub-DAGs, sensors) and who waits."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.control.pods.labels import pool_id, slots_of
from tradewind.control.pods.observation import unit_of
from tradewind.kube.client import Object
from tradewind.kube.labels import RUN
from tradewind.kube.pod import Pod
from tradewind.model.pool import PoolAllow, PoolClaim
from tradewind.model.shown import counted
from tradewind.plan.capacity.pool_access import admits, refusal
from tradewind.plan.capacity.pool_allotment import Claim, PoolId, allot
from tradewind.plan.capacity.shard_share import WHOLE, Owned
from tradewind.plan.capacity.waiting_lines import Lines
from tradewind.plan.documents.read import read
from tradewind.plan.runs.decision import Start

PLENTY = 10**9
"""More slots than any claim needs."""
SERVED = 10_000
"""Namespaces for which the time of their last slots is kept."""


@dataclass(frozen=True, slots=True)
class User:
    """A task or item of a run that holds or wants slots."""

    namespace: str
    run: str
    uid: str
    key: str


@dataclass(slots=True)
class Waiting:
    """What a run wanted in its last pass: the claims whose turn comes first, and the total number by pool."""

    user: User
    claims: list[Claim]
    total: Counter[PoolId]


class PoolBook:
    """The slots of all pools. `wake(run uid)` is called when it is a run's turn, `changed(pool)` when a pool's status may have changed."""

    def __init__(self, wake: Callable[[str], None], changed: Callable[[PoolId], None], owned: Owned = WHOLE) -> None:
        self._wake, self._changed, self._owned = wake, changed, owned
        self.capacity: dict[PoolId, int] = {}
        self.held: dict[PoolId, dict[str, tuple[User, int]]] = defaultdict(dict)
        """By pool and holder: a pod (namespace/name), a run of a sub-DAG (its uid), or the name that stands for a start whose pod or run is
        about to be created, or that has neither."""
        self._holders: dict[str, list[PoolId]] = {}
        self._orphans: set[str] = set()
        """Pods (namespace/name) whose labels claim slots, but whose run does not exist."""
        self._used: Counter[PoolId] = Counter()
        self._by_namespace: defaultdict[str, Counter[PoolId]] = defaultdict(Counter)
        self._by_run: Counter[str] = Counter()
        """Sums over `held`. Those by pool and namespace count this shard only."""
        self.waiting: dict[str, Waiting] = {}
        self._lines = Lines()
        self._allow: dict[PoolId, PoolAllow] = {}
        """Who may claim a ClusterPool, for pools with such a restriction."""
        self._labels: dict[str, Mapping[str, str]] = {}
        """By namespace: its labels."""
        self._since: dict[tuple[str, str], float] = {}
        self._served: dict[str, float] = {}
        """When (monotonic seconds) each run and each namespace last got slots."""
        self._served_namespace: dict[str, float] = {}
        self._kept: defaultdict[str, set[str]] = defaultdict(set)
        """By run: tasks and items that hold slots without an object: the creation of a pod had an unknown outcome, or they have none."""
        self._called: defaultdict[str, set[tuple[str, str, int]]] = defaultdict(set)
        """By calling run: attempts (namespace, task or item, number) of which there is the run of a sub-DAG, so that they need no turn."""
        self._checking: asyncio.Handle | None = None

    def pool_seen(self, body: Object, deleted: bool) -> None:
        """A Pool or ClusterPool was created, changed or deleted."""
        meta = body["metadata"]
        pool = (body["kind"], meta.get("namespace", ""), meta["name"])
        before = self.capacity.get(pool), self._allow.get(pool)
        if deleted:
            self._resize(pool, None)
            self._allow.pop(pool, None)
        else:
            slots, allow = int(body["spec"]["slots"]), None
            if body["kind"] == "ClusterPool":
                slots, raw = self._owned.portion(slots), body["spec"].get("allow")
                allow = None if raw is None else read(PoolAllow, raw, "spec.allow")
            if before == (slots, allow):
                return
            self._resize(pool, slots)
            self._allow.pop(pool, None)
            if allow:
                self._allow[pool] = allow
        self._disown([pool])
        self._touch([pool])
        self._wake_those(lambda waiting: any(pool in claim.slots for claim in waiting.claims))

    def _resize(self, pool: PoolId, slots: int | None) -> None:
        """Sets the slots of a pool, and counts its holders again."""
        held = [*self.held.get(pool, {}).values()]
        for user, number in held:
            self._count(user, pool, -self.counted(pool, number))
        if slots is None:
            self.capacity.pop(pool, None)
        else:
            self.capacity[pool] = slots
        for user, number in held:
            self._count(user, pool, self.counted(pool, number))

    def counted(self, pool: PoolId, number: int) -> int:
        """What a holder counts for: no more than the pool has, whatever the labels of an object say."""
        return min(number, self.capacity.get(pool, number))

    def namespace_seen(self, body: Object, deleted: bool) -> None:
        """A namespace was created, changed or deleted."""
        name, found = body["metadata"]["name"], body["metadata"].get("labels") or {}
        if deleted:
            self._labels.pop(name, None)
        elif self._labels.get(name) != found:
            self._labels[name] = found
            self._disown(self._allow)
            self._wake_those(lambda waiting: waiting.user.namespace == name)

    def _wake_those(self, wanted: Callable[[Waiting], bool]) -> None:
        """Wakes these runs: at least the reason for which they wait may have changed."""
        for uid, waiting in list(self.waiting.items()):
            if wanted(waiting):
                self._wake(uid)

    def pod_seen(self, pod: Pod) -> bool:
        """A pod was created, changed or deleted. Returns whether it holds slots from now on."""
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        if pod.over:
            self._drop(name)
            self._orphans.discard(name)
        elif name not in self._holders and name not in self._orphans:
            namespace = pod.metadata.namespace
            labels_ = pod.metadata.labels
            if slots := self._counting(slots_of(labels_, namespace), namespace):
                user = User(namespace, labels_.get(RUN, ""), pod.metadata.run_uid, unit_of(pod)[0])
                self.settle(user.uid, user.key)
                self._hold(name, user, slots)
                return True
        return False

    def part_seen(
        self, uid: str, caller: User, number: int, slots: Mapping[PoolId, int], over: bool, needed: bool
    ) -> None:
        """A run that an attempt of another one has made was created, changed, or is `over`. `needed`: whether its caller is active."""
        counting = {} if over else self._counting(slots, caller.namespace)
        if counting != {pool: self.held[pool][uid][1] for pool in self._holders.get(uid, ())}:
            self._drop(uid)
            if counting:
                self.settle(caller.uid, caller.key)
                self._hold(uid, caller, counting)
        if slots and (needed or not over):
            self._called[caller.uid].add((caller.namespace, caller.key, number))
        else:
            self._uncall(caller, number)

    def part_gone(self, uid: str, caller: User | None, number: int) -> None:
        """Such a run was deleted, or no attempt has made it."""
        self._drop(uid)
        if caller:
            self._uncall(caller, number)

    def _uncall(self, caller: User, number: int) -> None:
        if caller.uid in self._called:
            self._called[caller.uid].discard((caller.namespace, caller.key, number))
            if not self._called[caller.uid]:
                del self._called[caller.uid]

    def correct(self, namespace: str, uid: str, claims: Callable[[str], Mapping[PoolId, int] | None]) -> None:
        """Sets the slots of runs that a run with this uid has made, by what its task or item (by key) claims, if that is known."""
        for name, user in self._of(namespace, uid).items():
            if "/" not in name and (slots := claims(user.key)) is not None:
                self._hold(name, user, self._counting(slots, namespace))

    def _of(self, namespace: str, uid: str) -> dict[str, User]:
        """What holds slots for a run, by name."""
        return {
            name: user
            for held in self.held.values()
            for name, (user, _) in held.items()
            if (user.namespace, user.uid) == (namespace, uid)
        }

    def release_orphans(self, namespace: str, uid: str) -> None:
        """Releases the slots of pods in a namespace whose run does not exist."""
        names = {name for name in self._of(namespace, uid) if "/" in name}
        for name in names:
            self._drop(name)
        self._orphans |= names

    def ask(
        self,
        user: User,
        starts: Sequence[Start],
        total: Mapping[tuple[PoolClaim, ...], int],
        now: float,
        active: Collection[str] = (),
    ) -> set[str]:
        """Assigns slots to a run's starts and returns the keys of those that have them. They hold the slots until their pods or runs end,
        or until `give_back`; those that are kept, until they are neither asked for nor `active`."""
        claims, kept, called = [], self._kept.get(user.uid, set()), self._called.get(user.uid, ())
        holding = {
            start.key for start in starts if start.key in kept or (user.namespace, start.key, start.number) in called
        }
        for key in kept.difference(holding, active):
            self.give_back(user.uid, key)
        for start in starts:
            if start.key in holding:
                continue
            slots = {pool_id(item, user.namespace): item.slots for item in start.pools}
            since = self._since.setdefault((user.uid, start.key), now)
            claims.append(Claim(user.namespace, user.uid, start.key, slots, start.priority, since))
        if not claims:
            self.want_none(user.uid)
            return holding
        counts: Counter[PoolId] = Counter()
        for pools, number in total.items():
            for item in pools:
                counts[pool_id(item, user.namespace)] += number
        self._line_up(user.uid, claims)
        granted = {claim.key: claim for claim in self._allot(now) if claim.run == user.uid}
        for key, claim in granted.items():
            self._serve(claim, now)
            self._since.pop((user.uid, key), None)
            counts.subtract(dict.fromkeys(claim.slots, 1))
            self._hold(_pending(user.uid, key), User(user.namespace, user.run, user.uid, key), dict(claim.slots))
        self.waiting.pop(user.uid, None)
        if left := [claim for claim in claims if claim.key not in granted]:
            self.waiting[user.uid] = Waiting(user, left, counts)
        if granted:
            self._line_up(user.uid, left)
        self._touch(counts)
        return holding | set(granted)

    def _serve(self, claim: Claim, now: float) -> None:
        self._served[claim.run] = now
        self._served_namespace.pop(claim.namespace, None)
        self._served_namespace[claim.namespace] = now
        if len(self._served_namespace) > SERVED:
            del self._served_namespace[next(iter(self._served_namespace))]

    def settle(self, uid: str, key: str) -> None:
        """Removes the entry that stood for a start: its pod or run holds the slots itself, is over, or does not exist."""
        self._drop(_pending(uid, key))
        self._kept[uid].discard(key)
        if not self._kept[uid]:
            del self._kept[uid]

    def mark_unsure(self, uid: str, key: str) -> None:
        """Keeps the slots of a start whose pod may or may not have been created, until its run asks for them again."""
        self._stop_waiting(uid)
        self._kept[uid].add(key)

    def keep(self, uid: str, key: str) -> None:
        """Keeps the slots of a start that the operator performs itself, as long as it is active or about to start."""
        self._kept[uid].add(key)

    def give_back(self, uid: str, key: str) -> None:
        """Releases the slots of a start that did not become a pod. Its run delays no others until it asks again."""
        self._stop_waiting(uid)
        self.settle(uid, key)

    def forget(self, uid: str) -> None:
        """Drops everything that a run wants, and what it does without objects."""
        self._called.pop(uid, None)
        for key in list(self._kept.get(uid, ())):
            self.settle(uid, key)
        self.want_none(uid)

    def want_none(self, uid: str) -> None:
        """Notes that a run wants no slots for now. Slots that it holds stay held."""
        waiting = self._stop_waiting(uid)
        if waiting:
            for claim in waiting.claims:
                self._since.pop((uid, claim.key), None)
            self._touch(waiting.total)
        if uid not in self._by_run:
            self._served.pop(uid, None)

    def _stop_waiting(self, uid: str) -> Waiting | None:
        waiting = self.waiting.pop(uid, None)
        if waiting:
            self._line_up(uid, [])
        return waiting

    def _instead(self, claim: PoolClaim, namespace: str) -> str:
        """How to fix a claim on a pool that doesn't exist."""
        other = "ClusterPool" if claim.kind == "Pool" else "Pool"
        if pool_id(claim.model_copy(update={"kind": other}), namespace) in self.capacity:
            return f"there is a {other} of this name; write kind: {other}"
        return "create it, or fix `pools`"

    def why(self, claims: Sequence[PoolClaim], namespace: str, caller: tuple[str, str] = ("", "")) -> tuple[str, str]:
        """Reason and message for a task that waits for slots, in a run that `caller` (uid and task of a run) has made."""
        for item in claims:
            pool = pool_id(item, namespace)
            where = f" in namespace {namespace}" if item.kind == "Pool" else ""
            if pool not in self.capacity:
                return "PoolNotFound", f"there is no {item.kind} {item.name!r}{where}: {self._instead(item, namespace)}"
            if not self._may(pool, namespace):
                return "PoolNotAllowed", refusal(item.name, namespace)
            size = self.capacity[pool]
            if item.slots > size:
                return (
                    "PoolTooSmall",
                    f"needs {counted(item.slots, 'slot')}, {item.kind} {item.name!r} has {size}{self._of_shard(item)}",
                )
        parts = []
        for item in claims:
            pool = pool_id(item, namespace)
            used, slots = self.used(pool), counted(self.capacity[pool], "slot")
            parts.append(
                f"{item.kind} {item.name!r}: {used} of {slots} {'is' if used == 1 else 'are'} held{self._of_shard(item)}"
            )
            if caller[0] in self._by_run and any(
                (user.uid, user.key) == caller for user, _ in self.held.get(pool, {}).values()
            ):
                parts.append(f"{caller[1]}, which has made this run, holds some until this run ends")
        return "PoolFull", "; ".join(parts)

    def _of_shard(self, item: PoolClaim) -> str:
        shared = item.kind == "ClusterPool" and self._owned.count > 1
        return f" for the namespaces of this shard (of {self._owned.count})" if shared else ""

    def next_in_turn(self, pool: PoolId, most: int) -> list[tuple[Claim, User]]:
        """The next waiters that get slots of a pool, in order."""
        lines = self._lines.of(lambda other: other == pool)
        room = {other: self._used.get(other, 0) + PLENTY for line in lines for other in line.pools}
        now = asyncio.get_running_loop().time()
        served = self._served_namespace
        found = allot(room, self._used, lines, self._by_namespace, self._by_run, served, now, most)
        return [(claim, self.waiting[claim.run].user) for claim in found]

    def used(self, pool: PoolId) -> int:
        """How many slots this shard holds."""
        return self._used.get(pool, 0)

    def _may(self, pool: PoolId, namespace: str) -> bool:
        allow = self._allow.get(pool)
        return allow is None or admits(allow, namespace, self._labels.get(namespace))

    def _counting(self, slots: Mapping[PoolId, int], namespace: str) -> dict[PoolId, int]:
        return {pool: number for pool, number in slots.items() if self._counts(pool, namespace)}

    def _counts(self, pool: PoolId, namespace: str) -> bool:
        """Whether an object's labels about slots count in its namespace. They do while the namespace's labels are unknown."""
        allow = self._allow.get(pool)
        unknown = allow is not None and allow.namespace_selector is not None and namespace not in self._labels
        return unknown or self._may(pool, namespace)

    def _disown(self, pools: Iterable[PoolId]) -> None:
        """Releases slots held in namespaces that the pools don't admit, whatever the labels of objects say."""
        for pool in pools:
            for name, (user, _) in list(self.held.get(pool, {}).items()):
                if not self._counts(pool, user.namespace):
                    self._holders[name].remove(pool)
                    self._release(name, [pool])

    def _line_up(self, uid: str, claims: Sequence[Claim]) -> None:
        """Puts a run in line with those of its claims that can ever be met; the others delay nobody."""
        possible = [claim for claim in claims if self._possible(claim)]
        self._lines.put(uid, possible, self._by_run.get(uid, 0), self._served.get(uid, float("-inf")))

    def _possible(self, claim: Claim) -> bool:
        return all(
            slots <= self.capacity.get(pool, 0) and self._may(pool, claim.namespace)
            for pool, slots in claim.slots.items()
        )

    def _allot(self, now: float) -> list[Claim]:
        lines = self._lines.of(lambda pool: self._used.get(pool, 0) < self.capacity.get(pool, 0))
        if not lines:
            return []
        return allot(self.capacity, self._used, lines, self._by_namespace, self._by_run, self._served_namespace, now)

    def _hold(self, name: str, user: User, slots: Mapping[PoolId, int]) -> None:
        self._drop(name)
        self._holders[name] = list(slots)
        for pool, number in slots.items():
            self.held[pool][name] = (user, number)
            self._count(user, pool, self.counted(pool, number))
        self._move_up(user.uid)
        self._touch(slots)

    def _drop(self, name: str) -> None:
        self._release(name, self._holders.pop(name, []))

    def _release(self, name: str, pools: Sequence[PoolId]) -> None:
        for pool in pools:
            user, number = self.held[pool].pop(name)
            self._count(user, pool, -self.counted(pool, number))
        if pools:
            self._move_up(user.uid)
            self._touch(pools)

    def _count(self, user: User, pool: PoolId, number: int) -> None:
        sums: list[tuple[Counter[Any], Any]] = [(self._by_run, user.uid)]
        if self._owned.owns(user.namespace):
            sums += [(self._used, pool), (self._by_namespace[user.namespace], pool)]
        for counter, key in sums:
            counter[key] += number
            if not counter[key]:
                del counter[key]
        if not self._by_namespace.get(user.namespace):
            self._by_namespace.pop(user.namespace, None)

    def _move_up(self, uid: str) -> None:
        self._lines.moved(uid, self._by_run.get(uid, 0), self._served.get(uid, float("-inf")))

    def _touch(self, pools: Iterable[PoolId]) -> None:
        for pool in pools:
            self._changed(pool)
        if self.waiting and self._checking is None:
            self._checking = asyncio.get_running_loop().call_soon(self._check)

    def _check(self) -> None:
        """Wakes the runs whose turn it is."""
        self._checking = None
        for uid in {claim.run for claim in self._allot(asyncio.get_running_loop().time())}:
            self._wake(uid)


def _pending(uid: str, key: str) -> str:
    """The name that stands for a start without an object; no pod and no run can have it."""
    return f"{uid}//{key}"


def status(book: PoolBook, pool: PoolId, shown: int = 20) -> dict[str, Any]:
    """The status of a pool."""
    held = [(user, book.counted(pool, number)) for user, number in book.held.get(pool, {}).values()]
    held.sort(key=lambda item: (item[0].namespace, item[0].run, item[0].key))
    return {
        "used": sum(slots for _, slots in held),
        "waiting": sum(waiting.total[pool] for waiting in book.waiting.values()),
        "holders": [_user(user, user.key, slots) for user, slots in held[:shown]],
        "waiters": [_user(user, claim.key, claim.slots[pool]) for claim, user in book.next_in_turn(pool, shown)],
    }


def _user(user: User, key: str, slots: int) -> dict[str, Any]:
    return {"namespace": user.namespace, "run": user.run, "task": key, "slots": slots}
