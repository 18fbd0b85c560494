"""The triggers that receive events, as known to the endpoint."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tradewind.control.triggers.dag_index import DAGFacts, DAGIndex
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.kube.client import Client, Object
from tradewind.kube.object_informer import ObjectInformer
from tradewind.kube.resources import DAGS, TRIGGERS, deleting
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.capacity.token_bucket import Bucket
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read
from tradewind.plan.triggers.trigger import check

log = logging.getLogger(__name__)
PAUSE = 10
"""Seconds of a pause that may be made up for at once: the size of a trigger's bucket, relative to its rate."""


@dataclass(slots=True)
class Taker:
    """A trigger that receives events."""

    known: TriggerSnapshot
    bucket: Bucket
    facts: DAGFacts | None = None
    problems: list[Problem] | None = None
    """The problems of the trigger, given these facts."""


class EventTriggers:
    """Follows triggers and DAGs."""

    def __init__(self, client: Client, namespaces: Sequence[str | None]) -> None:
        self._takers: dict[tuple[str, str], Taker] = {}
        self._dags = DAGIndex(client, lambda *_: None)
        self.informers = (
            ObjectInformer(client, namespaces, DAGS, self._dags.seen),
            ObjectInformer(client, namespaces, TRIGGERS, self._seen),
        )

    @property
    def synced(self) -> bool:
        """Whether all objects that existed at the start are known."""
        return all(informer.synced.is_set() for informer in self.informers)

    def find(self, namespace: str, name: str) -> Taker | None:
        """A trigger that receives events; None if there is none."""
        return self._takers.get((namespace, name))

    async def dag(self, taker: Taker) -> DAGFacts | None:
        """The facts about the trigger's DAG; None if it does not exist. Updates the trigger's problems. Raises ApiError."""
        facts = await self._dags.of(taker.known.namespace, taker.known.spec.dag)
        if facts and (taker.problems is None or taker.facts is not facts):
            taker.facts, taker.problems = facts, check(taker.known.spec, facts.params)
        return facts

    def _seen(self, body: Object, deleted: bool) -> None:
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        before = self._takers.get(key)
        generation = int(meta.get("generation") or 0)
        if deleted or deleting(body) or not (body.get("spec") or {}).get("event"):
            self._takers.pop(key, None)
            return
        if before and (before.known.uid, before.known.generation) == (meta["uid"], generation):
            return
        try:
            spec = read(TriggerSpec, body["spec"])
        except Invalid as error:
            log.warning("trigger %s/%s can't be read: %s", *key, error)
            self._takers.pop(key, None)  # Without a readable spec its senders can't be authenticated.
            return
        if not spec.event:
            return
        created = datetime.fromisoformat(meta["creationTimestamp"]).timestamp()
        rate = spec.event.max_per_second
        bucket = before.bucket if before and before.bucket.rate == rate else Bucket(rate, rate * PAUSE)
        self._takers[key] = Taker(TriggerSnapshot(*key, meta["uid"], generation, created, spec, {}), bucket)
