"""Triggers that follow runs, and which of them still has to process a run: retention keeps the run until then.

This covers triggers of all shards, by their statuses: a run may belong to another shard than a trigger that follows it.
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
    """None while it processes nothing."""


class RunConsumers:
    """Triggers by what they follow."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
        self._known: dict[Key, _Follower] = {}
        self._of: defaultdict[Topic, set[Key]] = defaultdict(set)

    def seen(self, key: Key, spec: TriggerSpec, created: float, status: Mapping[str, Any]) -> None:
        """A trigger was created or changed. `created` is epoch seconds, `status` the stored status."""
        topics = frozenset(topics_of(spec, key[0]))
        before = self._known.get(key)
        if before and before.topics != topics:
            self.gone(key)
        if topics:
            found = gathered(status.get(spec.source))
            # Waiting triggers process runs only if some of what they follow is refused; the others wait for their own DAG.
            phases = ("", "Active", *(["Waiting"] if None in found.standings.values() else []))
            looks = not spec.suspend and status.get("phase", "") in phases
            self._known[key] = _Follower(spec, created, topics, found if looks else None)
            for topic in topics:
                self._of[topic].add(key)

    def gone(self, key: Key) -> None:
        """A trigger was deleted or can't be read."""
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
        """Whether any trigger follows a topic."""
        return topic in self._of

    def graph(self, dags: DAGIndex) -> Graph:
        """The graph of triggers and DAGs that start each other, as far as known here."""

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

    def notify(self, topic: Topic) -> None:
        """Wakes the triggers that follow a topic."""
        for key in self._of.get(topic, NONE):
            self._wake(key)

    def needing(self, run: Run) -> Key | None:
        """A trigger that still has to process a run, or None."""
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
    """Whether a fact about one of a trigger's sources concerns the trigger."""
    if spec.completed is None:
        return True
    dag = completed_run.follows(spec.completed, namespace).get(fact.source)
    return dag is not None and fact.outcome in dag.outcomes


def topics_of(spec: TriggerSpec, namespace: str) -> Iterator[Topic]:
    """The topics that a trigger of a namespace follows."""
    if spec.completed:
        for source in completed_run.follows(spec.completed, namespace):
            yield "completed", source.partition("/")[0], source
    if spec.assets:
        for name in asset_update.names(spec.assets):
            yield "assets", namespace, name
