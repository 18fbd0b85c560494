"""Which triggers follow what runs do, and which of them has yet to look at a run: history keeps it until then.

Triggers of all shards are here, by what their statuses say: a run's shard may not be that of the trigger which follows it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.control.triggers.run_facts import Topic, facts_of
from tradewind.kube.resources import Key
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.triggers import asset_update, completed_run
from tradewind.plan.triggers.accumulate import Gathered, gathered, needed
from tradewind.plan.triggers.cycles import Graph
from tradewind.plan.triggers.run_fact import Fact

NONE: Set[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class _Follower:
    spec: TriggerSpec
    created: float
    topics: frozenset[Topic]
    found: Gathered | None = None
    """None while it does not look at anything."""


class RunConsumers:
    """Triggers by what they follow."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
        self._known: dict[Key, _Follower] = {}
        self._of: defaultdict[Topic, set[Key]] = defaultdict(set)

    def seen(self, key: Key, spec: TriggerSpec, created: float, status: Mapping[str, Any]) -> None:
        """What a trigger says. `created` is epoch seconds, `status` what is written down."""
        topics = frozenset(topics_of(spec, key[0]))
        before = self._known.get(key)
        if before and before.topics != topics:
            self.gone(key)
        if topics:
            found = gathered(status.get(spec.source))
            # Of those that wait, the ones look that are refused some of what they follow; the others wait for their own DAG.
            phases = ("", "Active", *(["Waiting"] if None in found.standings.values() else []))
            looks = not spec.suspend and status.get("phase", "") in phases
            self._known[key] = _Follower(spec, created, topics, found if looks else None)
            for topic in topics:
                self._of[topic].add(key)

    def gone(self, key: Key) -> None:
        """A trigger is there no more, or can't be read."""
        if follower := self._known.pop(key, None):
            for topic in follower.topics:
                self._of[topic].discard(key)
                if not self._of[topic]:
                    del self._of[topic]

    def saved(self, key: Key, status: Mapping[str, Any]) -> None:
        """The status of a trigger was written."""
        if follower := self._known.get(key):
            self.seen(key, follower.spec, follower.created, status)

    def knows(self, key: Key) -> bool:
        """Whether a trigger follows anything."""
        return key in self._known

    def followed(self, topic: Topic) -> bool:
        """Whether anyone follows it."""
        return topic in self._of

    def graph(self, dags: DAGIndex) -> Graph:
        """Who leads to whom, as far as is known here."""

        def makes(dag: Key) -> Iterator[Topic]:
            yield "completed", dag[0], "/".join(dag)
            for asset in dags.known(dag).produces:
                yield "assets", dag[0], asset

        return Graph(
            dag=lambda key: (key[0], self._known[key].spec.dag),
            follows=lambda key: self._known[key].topics,
            followers=lambda topic: self._of.get(topic, NONE),
            makes=makes,
            calls=lambda dag: [(dag[0], name) for name in dags.known(dag).calls],
        )

    def heard(self, topic: Topic) -> None:
        """There is news for those who follow it."""
        for key in self._of.get(topic, NONE):
            self._wake(key)

    def needing(self, run: Run) -> Key | None:
        """A trigger that has yet to look at a run."""
        if not self._of:
            return None
        facts: dict[Key, list[Fact]] = {}
        for kind, fact in facts_of(run):
            for key in self._of.get((kind, fact.namespace, fact.source), NONE):
                if relevant(self._known[key].spec, key[0], fact):
                    facts.setdefault(key, []).append(fact)
        for key, found in facts.items():
            follower = self._known[key]
            if follower.found is not None and needed(follower.found, follower.created, found):
                return key
        return None


def relevant(spec: TriggerSpec, namespace: str, fact: Fact) -> bool:
    """Whether a trigger has anything to do with what has happened to one of its sources."""
    if spec.completed is None:
        return True
    dag = completed_run.follows(spec.completed, namespace).get(fact.source)
    return dag is not None and fact.outcome in dag.outcomes


def topics_of(spec: TriggerSpec, namespace: str) -> Iterator[Topic]:
    """What a trigger of a namespace follows."""
    if spec.completed:
        for source in completed_run.follows(spec.completed, namespace):
            yield "completed", source.partition("/")[0], source
    if spec.assets:
        for name in asset_update.names(spec.assets):
            yield "assets", namespace, name
