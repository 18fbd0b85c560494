"""Collects facts about runs until they complete an occasion: a trigger's progress, pending facts, and due runs.

Pure, and independent of the order in which facts arrive: each is taken once, and its effect is recorded before a
trigger fires."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tradewind.model.duration import instant, stamp
from tradewind.plan.triggers.run_fact import Fact
from tradewind.plan.triggers.trigger import occasion

FACTS_LIMIT = 200
"""Facts that are remembered one by one: this many of a source may arrive out of order."""
PENDING = 1_000
"""Facts that wait for others."""


@dataclass(frozen=True, slots=True)
class TriggerProgress:
    """How far a source has been followed: all facts up to `since` and `last`, and the later ones in `taken` (digest ->
    epoch seconds), have been processed."""

    since: int
    last: str = ""
    taken: Mapping[str, int] = field(default_factory=dict)
    latest_at: int = 0
    latest_run: str = ""

    def knows(self, fact: Fact) -> bool:
        """Whether a fact has been processed."""
        return fact.at < self.since or fact.order <= (self.since, self.last) or fact.id in self.taken

    def with_(self, fact: Fact) -> "TriggerProgress":
        """The progress after a fact has been processed."""
        taken, since, last = {**self.taken, fact.id: fact.at}, self.since, self.last
        if len(taken) > FACTS_LIMIT:
            since, last = min((at, digest) for digest, at in taken.items())
            del taken[last]
        latest = (self.latest_at, self.latest_run)
        if fact.at >= self.latest_at:
            latest = (fact.at, fact.run)
        return TriggerProgress(since, last, taken, *latest)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The cause of a run. The last of its facts completed it."""

    suffix: str
    facts: tuple[Fact, ...]

    @property
    def depth(self) -> int:
        """The depth of the run for it: how many runs lead to that."""
        return 1 + max(fact.depth for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The progress of a trigger. A source whose progress is None is refused: its facts don't count, now or later."""

    standings: Mapping[str, TriggerProgress | None] = field(default_factory=dict)
    pending: tuple[Fact, ...] = ()
    """The latest fact of each source and partition."""
    due: tuple[Occasion, ...] = ()

    def knows(self, fact: Fact) -> bool:
        """Whether a fact has been processed, or is irrelevant."""
        standing = self.standings.get(fact.source)
        return standing is None or standing.knows(fact)

    def uses(self, uid: str) -> bool:
        """Whether facts of a run are still to be read."""
        waiting = (*self.pending, *(fact for found in self.due for fact in found.facts))
        return any(fact.uid == uid for fact in waiting)

    def following(self, sources: Mapping[str, int | None]) -> "Gathered":
        """The progress with these sources: new ones are followed from a time (epoch seconds) on, those with None are
        refused. Facts of other sources are dropped."""
        standings: dict[str, TriggerProgress | None] = {}
        for name, since in sources.items():
            standings[name] = None if since is None else self.standings.get(name) or TriggerProgress(since - 1, "~")
        pending = tuple(fact for fact in self.pending if standings.get(fact.source))
        return replace(self, standings=standings, pending=pending)

    def take(
        self, fact: Fact, counts: bool, complete: Callable[[Mapping[str, Fact]], bool], within: float | None = None
    ) -> "Gathered":
        """Processes a fact. One that counts is kept with those of its partition: the latest of each source, none older
        than the newest by more than `within` seconds. If they are `complete`, they are due."""
        standing = self.standings[fact.source]
        assert standing is not None  # noqa: S101 - knows() said so
        taken = replace(self, standings={**self.standings, fact.source: standing.with_(fact)})
        return taken._add(fact, complete, within) if counts else taken

    def _add(self, fact: Fact, complete: Callable[[Mapping[str, Fact]], bool], within: float | None) -> "Gathered":
        others = [other for other in self.pending if other.partition != fact.partition]
        ours = {other.source: other for other in self.pending if other.partition == fact.partition}
        before = ours.get(fact.source)
        if before is None or before.order < fact.order:
            ours[fact.source] = fact
        if within is not None:
            newest = max(other.at for other in ours.values())
            ours = {name: other for name, other in ours.items() if newest - other.at <= within}
        if fact.source in ours and complete(ours):
            facts = sorted(ours.values(), key=lambda other: (other == fact, other.order))
            return replace(
                self, pending=tuple(others), due=(*self.due, Occasion(occasion(fact.uid, fact.id), tuple(facts)))
            )
        kept = sorted([*others, *ours.values()], key=lambda other: other.order)
        return replace(self, pending=tuple(kept[-PENDING:]))

    def written(self) -> dict[str, Any]:
        """The progress in the form of a status."""
        return {
            "sources": [_standing(name, standing) for name, standing in self.standings.items()],
            "pending": [fact.written() for fact in self.pending],
            "due": [{"suffix": found.suffix, "facts": [fact.written() for fact in found.facts]} for found in self.due],
        }


def gathered(status: Mapping[str, Any] | None) -> Gathered:
    """The progress from a status; empty if there is none or it can't be read."""
    said = status or {}
    try:
        return Gathered(
            {item["name"]: _read(item) for item in said.get("sources") or ()},
            tuple(map(_fact, said.get("pending") or ())),
            tuple(Occasion(item["suffix"], tuple(map(_fact, item["facts"]))) for item in said.get("due") or ()),
        )
    except (ValueError, KeyError, TypeError):
        return Gathered()


def needed(found: Gathered, created: float, facts: Iterable[Fact]) -> bool:
    """Whether a trigger that was created then (epoch seconds), with this progress, has still to process one of these
    facts of its sources."""
    for fact in facts:
        if fact.source not in found.standings:
            if fact.at >= int(created):
                return True
        elif found.uses(fact.uid) or not found.knows(fact):
            return True
    return False


def _standing(name: str, standing: TriggerProgress | None) -> dict[str, Any]:
    if standing is None:
        return {"name": name}
    said: dict[str, Any] = {"name": name, "since": stamp(standing.since), "last": standing.last}
    if standing.taken:
        said["taken"] = " ".join(f"{digest}{at - standing.since:+d}" for digest, at in standing.taken.items())
    if standing.latest_run:
        said |= {"latestAt": stamp(standing.latest_at), "latestRun": standing.latest_run}
    return said


def _read(item: Mapping[str, Any]) -> TriggerProgress | None:
    if not item.get("since"):
        return None
    since = int(instant(item["since"]))
    taken = {entry[:10]: since + int(entry[10:]) for entry in str(item.get("taken") or "").split()}
    latest = int(instant(item["latestAt"])) if item.get("latestAt") else 0
    return TriggerProgress(since, item.get("last") or "", taken, latest, item.get("latestRun") or "")


def _fact(item: Mapping[str, Any]) -> Fact:
    return Fact(**{**item, "at": int(instant(item["at"]))})
