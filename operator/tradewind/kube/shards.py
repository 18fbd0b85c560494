"""Sharding: a Lease per shard records who works on it, a Lease per replica that it is alive. Leases are counted, nothing else is stored.

As with a single leader, two replicas that believe they hold the same shard waste work but do no harm.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from tradewind import metrics
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from tradewind.kube.lease import Lost, lease_spec
from tradewind.kube.resources import LEASES
from tradewind.plan.capacity.shard_share import Owned, share

log = logging.getLogger(__name__)
OPERATOR = "tradewind.dev/operator"
SHARD = "tradewind.dev/shard"
"""Labels of the operator to which a Lease belongs, and of its shard; a Lease without the second is a replica's."""


class Shards:
    """The shards held by this replica, of `count`. Durations are in seconds. As for a single Lease, a holder counts as alive until its
    Lease has not changed for a whole duration on the local monotonic clock."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        count: int,
        duration: float = 15.0,
        renew_within: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        self._count, self._duration, self._renew_within, self._retry = count, duration, renew_within, retry
        self._seen: dict[str, tuple[str, float]] = {}
        self._introduced = False
        self._renewed = float("-inf")
        self.held: frozenset[int] = frozenset()
        self.changed = asyncio.Event()
        """Set when `held` has changed; the code that reacts to it clears it."""

    @property
    def owned(self) -> Owned:
        """What this replica works on now."""
        return Owned(self._count, self.held)

    def holds(self) -> bool:
        """Whether it is certain that nobody else has taken this replica's shards, as for a single Lease."""
        return asyncio.get_running_loop().time() < self._renewed + self._duration

    async def run(self) -> None:
        """Takes, keeps and releases shards. Never returns. Raises Lost if the Leases could not be renewed in time."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                began = loop.time()
                async with asyncio.timeout(self._renew_within):
                    await self._round(began)
                self._renewed = began
            except (ApiError, TimeoutError) as error:
                log.warning("shards: %s", error or "no answer in time")
                if loop.time() - self._renewed >= self._renew_within and self.held:
                    self._hold(frozenset())
                    raise Lost(f"the shards' leases: {error or 'no answer in time'}") from None
            await asyncio.sleep(self._retry)

    async def release(self) -> None:
        """Releases everything, so that others can start at once."""
        with suppress(ApiError):
            for shard in self.held:
                lease = await self._client.get(LEASES, self._namespace, self._of(shard))
                if lease["spec"].get("holderIdentity") == self._identity:
                    await self._write(lease, "")
            await self._client.delete(LEASES, self._namespace, self._of(None))
        self._hold(frozenset())

    async def _round(self, now: float) -> None:
        selector = f"{OPERATOR}={self._name}"
        items = (await self._client.list(LEASES, self._namespace, labelSelector=selector))["items"]
        leases: dict[str, Object] = {lease["metadata"]["name"]: lease for lease in items}
        self._seen = {name: self._last_change(name, lease, now) for name, lease in leases.items()}
        members, holders = {self._identity}, {}
        for name, lease in leases.items():
            holder, shard = lease["spec"].get("holderIdentity") or "", lease["metadata"]["labels"].get(SHARD)
            alive = holder and (holder == self._identity or now - self._seen[name][1] < self._duration)
            if alive and shard is None:
                members.add(holder)
            elif alive and int(shard) < self._count:
                holders[int(shard)] = holder
            elif shard is None:
                await self._forget(lease)
        await self._put(leases, None)
        ours = share(self._count, sorted(members), holders, self._identity)
        gone = self.held - ours.keep
        kept = {shard for shard in ours.keep if await self._put(leases, shard)}
        # A new replica takes nothing in its first round: it might have to give half of it to others that start with it.
        taken = {shard for shard in ours.take if self._introduced and await self._put(leases, shard)}
        self._introduced = True
        self._hold(frozenset(kept | taken))
        for shard in ours.drop - gone:
            # Nothing works any more on what was dropped in the previous round.
            await self._write(leases[self._of(shard)], "")

    def _hold(self, held: frozenset[int]) -> None:
        metrics.shards.set(self._count)
        metrics.shards_held.set(len(held))
        metrics.leader.set(bool(held))
        if held != self.held:
            log.info("shards: %s of %d", ", ".join(map(str, sorted(held))) or "none", self._count)
            self.held = held
            self.changed.set()

    def _last_change(self, name: str, lease: Object, now: float) -> tuple[str, float]:
        version = lease["metadata"]["resourceVersion"]
        known = self._seen.get(name)
        return known if known and known[0] == version else (version, now)

    async def _put(self, leases: dict[str, Object], shard: int | None) -> bool:
        """Renews or takes a Lease; returns False if another replica was faster."""
        name = self._of(shard)
        if name in leases:
            return await self._write(leases[name], self._identity)
        labels = {OPERATOR: self._name, **({} if shard is None else {SHARD: str(shard)})}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": "Lease",
            "metadata": {"name": name, "labels": labels},
            "spec": lease_spec(self._identity, self._duration),
        }
        with suppress(AlreadyExists):
            await self._client.create(LEASES, self._namespace, body)
            return True
        return False

    async def _write(self, lease: Object, holder: str) -> bool:
        spec: dict[str, Any] = lease.get("spec") or {}
        body = {**lease, "spec": lease_spec(holder, self._duration, spec)}
        with suppress(Conflict, NotFound):
            await self._client.replace(LEASES, self._namespace, lease["metadata"]["name"], body)
            return True
        return False

    async def _forget(self, lease: Object) -> None:
        """Deletes the Lease of a dead replica."""
        meta = lease["metadata"]
        with suppress(Conflict, NotFound):
            await self._client.delete(LEASES, self._namespace, meta["name"], version=meta["resourceVersion"])

    def _of(self, shard: int | None) -> str:
        return f"{self._name}-replica-{self._identity}"[:253] if shard is None else f"{self._name}-shard-{shard}"
