"""Base of triggers that follow runs. Occasions are recorded before their runs are made, because they can't be computed again once there are
other facts."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from tradewind import metrics
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.triggers.consumers import relevant
from tradewind.control.triggers.rate_limit import too_fast
from tradewind.control.triggers.run_facts import ConsumedFacts, Topic
from tradewind.control.triggers.run_maker import Fired, TriggerSnapshot, run_name
from tradewind.control.triggers.source import DueRun, DueRuns, Skipped, SourceResult
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import RUNS, Key
from tradewind.model.duration import stamp
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.triggers.accumulate import Gathered, Occasion, gathered
from tradewind.plan.triggers.run_fact import Fact
from tradewind.plan.triggers.trigger import Firing

T = TypeVar("T")
AT_ONCE = 4
"""Runs that are read, and held in memory whole, at the same time."""
BATCH = 100
"""Facts that are processed in one pass."""
MOST_DEEP = 16
"""Length of a chain of runs that lead to each other through triggers. It ends cycles."""
LOOK_AGAIN_SECONDS = 10.0
"""Seconds until a refused source is tried again."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The followed sources and their topics. Those in `refused` can't be followed now; `message` says what to fix."""

    topics: Mapping[str, Topic]
    refused: frozenset[str] = frozenset()
    message: str = ""


class RunBasedSource(ABC):
    """Common base of these sources."""

    kind: str
    """The field of a trigger's spec and of its status."""
    how: str
    """The value of the label `HOW` on its runs."""

    def __init__(
        self,
        client: Client,
        facts: ConsumedFacts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._facts, self._clock = client, facts, clock

    @abstractmethod
    async def followed(self, trigger: TriggerSnapshot) -> Followed:
        """What a trigger follows."""

    @abstractmethod
    async def counts(self, trigger: TriggerSnapshot, fact: Fact) -> bool:
        """Whether a fact counts. Raises ExpressionError."""

    @abstractmethod
    def complete(self, trigger: TriggerSnapshot, had: Mapping[str, Fact]) -> bool:
        """Whether these facts, by source, are enough to fire."""

    @abstractmethod
    async def firing(self, trigger: TriggerSnapshot, found: Occasion) -> Firing:
        """The occasion that facts form."""

    def within(self, trigger: TriggerSnapshot) -> float | None:
        """Maximum seconds between the facts of one occasion; None for no limit."""
        return None

    def forget(self, key: Key) -> None:  # noqa: B027
        """Does nothing: no state is kept by trigger."""

    async def look(self, trigger: TriggerSnapshot) -> SourceResult | DueRuns:
        """The due runs, and then new facts."""
        due = [self._due_run(trigger, found) for found in gathered(trigger.status.get(self.kind)).due]
        return DueRuns(due, partial(self._look, trigger), on_record=True) if due else await self._look(trigger, ())

    def _due_run(self, trigger: TriggerSnapshot, found: Occasion) -> DueRun:
        async def firing() -> Firing:
            if found.depth > MOST_DEEP:
                raise Skipped(
                    f"{MOST_DEEP} runs led to it, each by a trigger, and no more are made: do the triggers go in a cycle?"
                )
            return await self.firing(trigger, found)

        return DueRun(run_name(trigger.name, found.suffix), firing, since=found.facts[-1].at)

    async def _look(self, trigger: TriggerSnapshot, fired: Sequence[Fired]) -> SourceResult:
        """Processes new facts, and reports the outcomes of the runs that were due."""
        stored = trigger.status.get(self.kind)
        now, status, own = gathered(stored), dict[str, Any](), {"skipped": (stored or {}).get("skipped", "")}
        for item in fired:
            if item.result == "failed":
                metrics.occasions.labels(self.how, "skipped").inc()
                own["skipped"] = f"{item.name}: {item.error}"[:1_024]
            elif item.result != "filtered":
                status["lastRun"] = {"name": item.name, "at": stamp(self._clock())}
        due = now.due[len(fired) :]
        now = replace(now, due=due)
        if trigger.status.get("phase") == "Suspended":
            now = Gathered()
        elif due:  # New facts are processed once these have their runs: a status has a size limit.
            return SourceResult({**status, self.kind: {**now.written(), **own}, "message": too_fast(trigger, len(due))})
        followed = await self.followed(trigger)
        since = int(trigger.created if stored is None and trigger.status.get("phase") != "Suspended" else self._clock())
        now = now.following({name: None if name in followed.refused else since for name in followed.topics})
        facts = await self._facts.of([topic for name, topic in followed.topics.items() if name not in followed.refused])
        new = [fact for fact in facts if relevant(trigger.spec, trigger.namespace, fact) and not now.knows(fact)]
        batch = sorted(new, key=lambda fact: fact.order)[:BATCH]
        for fact, (counts, skipped) in zip(
            batch, await few(batch, lambda fact: self._judge(trigger, fact)), strict=True
        ):
            now = now.take(fact, counts, lambda had: self.complete(trigger, had), self.within(trigger))
            own["skipped"] = skipped or own["skipped"]
        status[self.kind] = {**now.written(), **own}
        status |= {"message": followed.message, **({"phase": "Waiting"} if followed.refused else {})}
        at = self._clock() if now.due or len(new) > BATCH else None
        return SourceResult(status, self._clock() + LOOK_AGAIN_SECONDS if at is None and followed.message else at)

    async def _judge(self, trigger: TriggerSnapshot, fact: Fact) -> tuple[bool, str]:
        try:
            return await self.counts(trigger, fact), ""
        except ExpressionError as error:
            return False, f"run {fact.namespace}/{fact.run}: {error}"[:1_024]

    async def read(self, fact: Fact) -> Run | None:
        """The run of a fact; None if it is gone."""
        try:
            run = read_run(await self._client.get(RUNS, fact.namespace, fact.run))
        except NotFound:
            return None
        return run if run.uid == fact.uid else None


async def few(facts: Sequence[Fact], look: Callable[[Fact], Awaitable[T]]) -> list[T]:
    """The results of `look` for each fact, a few at a time: each call reads a whole run, and runs can be large."""
    found: list[T] = []
    for at in range(0, len(facts), AT_ONCE):
        found += await asyncio.gather(*map(look, facts[at : at + AT_ONCE]))
    return found


def moment(fact: Fact) -> datetime:
    """When it happened."""
    return datetime.fromtimestamp(fact.at, UTC)
