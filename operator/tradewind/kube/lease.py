"""Leader election with one Lease, renewed by its holder. It reduces load; correctness does not depend on it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tradewind import metrics
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from tradewind.kube.resources import LEASES

log = logging.getLogger(__name__)


class Lost(Exception):
    """The lease could not be renewed in time; another process may lead by now."""


class Lease:
    """A Lease to hold. Durations are in seconds. Another holder counts as alive until its Lease has not changed for a whole duration on the
    local monotonic clock: clocks of two machines are never compared."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15.0,
        renew_within: float = 10.0,
        retry: float = 2.0,
    ) -> None:
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        self._duration, self._renew_within, self._retry = duration, renew_within, retry
        self._seen: tuple[str, float] = ("", 0.0)
        self._renewed = float("-inf")

    def holds(self) -> bool:
        """Whether it is certain that nobody else has the lease, which nobody may take before a whole duration without renewal."""
        return asyncio.get_running_loop().time() < self._renewed + self._duration

    async def acquire(self) -> None:
        """Waits until this process has the lease."""
        last = ""
        loop = asyncio.get_running_loop()
        while True:
            try:
                began = loop.time()
                if await self._try():
                    self._renewed = began
                    _count(True)
                    log.info("leader: %s", self._identity)
                    return
            except ApiError as error:
                if str(error) != last:
                    last = str(error)
                    log.warning("lease %s/%s: %s", self._namespace, self._name, error)
            await asyncio.sleep(self._retry)

    async def hold(self, lost: Callable[[], None]) -> None:
        """Renews the lease until that fails for too long, then calls `lost` and raises Lost."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._retry)
            try:
                began = loop.time()
                async with asyncio.timeout(self._renew_within):
                    renewed = await self._try()
                if renewed:
                    self._renewed = began
                    continue
                reason = "another process took it"
            except (ApiError, TimeoutError) as error:
                if loop.time() - self._renewed < self._renew_within:
                    continue
                reason = str(error) or "no answer in time"
            _count(False)
            lost()
            raise Lost(f"lease {self._namespace}/{self._name}: {reason}")

    async def release(self) -> None:
        """Releases the lease, so that a successor can start at once."""
        _count(False)
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] = lease_spec("", self._duration, lease["spec"])
                await self._client.replace(LEASES, self._namespace, self._name, lease)
        except ApiError as error:
            log.info("lease not released, it will expire: %s", error)

    async def _try(self) -> bool:
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            return await self._create()
        spec: dict[str, Any] = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._identity) and not self._expired(lease["metadata"]["resourceVersion"]):
            return False
        lease["spec"] = lease_spec(self._identity, self._duration, spec)
        try:
            await self._client.replace(LEASES, self._namespace, self._name, lease)
        except Conflict:
            return False
        return True

    def _expired(self, version: str) -> bool:
        now = asyncio.get_running_loop().time()
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] >= self._duration

    async def _create(self) -> bool:
        spec = lease_spec(self._identity, self._duration)
        try:
            await self._client.create(
                LEASES,
                self._namespace,
                {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": {"name": self._name}, "spec": spec},
            )
        except AlreadyExists:
            return False
        return True


def lease_spec(holder: str, duration: float, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The spec of a Lease that `holder` takes or renews now; an empty holder releases it."""
    before = before or {}
    spec = {**before, "holderIdentity": holder, "renewTime": _now(), "leaseDurationSeconds": round(duration)}
    if holder and holder != before.get("holderIdentity"):
        transitions = int(before.get("leaseTransitions") or 0) + 1 if before else 0
        spec |= {"acquireTime": _now(), "leaseTransitions": transitions}
    return spec


def _count(leads: bool) -> None:
    """Sets the metrics of a single leader, which has the only shard."""
    metrics.leader.set(leads)
    metrics.shards.set(1)
    metrics.shards_held.set(leads)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
