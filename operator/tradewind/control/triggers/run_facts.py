"""Facts about runs, kept in memory for the triggers that follow them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

import orjson

from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pages import items
from tradewind.kube.resources import RUNS
from tradewind.model.duration import instant
from tradewind.plan.triggers.run_fact import Fact

Topic = tuple[str, str, str]
"""The kind of fact (the field of a trigger that follows it), the namespace of the runs, and the source."""
FACTS_PAGE = 100


def facts_of(run: Run) -> Iterator[tuple[str, Fact]]:
    """The facts about a run, each with its kind. A run of some tasks only has not completed its DAG."""
    if run.final and not run.partial:
        ended = _seconds(run.status.get("finishedAt"), run)
        source = f"{run.namespace}/{run.dag}"
        yield (
            "completed",
            Fact(source, ended, run.namespace, run.name, run.uid, run.phase, depth=run.trigger_depth),
        )
    for item in run.status.get("produced") or ():
        of, partition = item.get("task", ""), item.get("partition", "")
        yield (
            "assets",
            Fact(
                item["name"],
                _seconds(item.get("at"), run),
                run.namespace,
                run.name,
                run.uid,
                task=of,
                partition=partition,
                depth=run.trigger_depth,
            ),
        )


def _seconds(text: object, run: Run) -> int:
    """Epoch seconds; the run's creation for a status that a person wrote without a valid time."""
    try:
        return int(instant(str(text)))
    except ValueError:
        return run.created


class Audience(Protocol):
    """The followers of topics."""

    def followed(self, topic: Topic) -> bool:
        """Whether any trigger follows a topic."""

    def notify(self, topic: Topic) -> None:
        """Wakes the followers of a topic."""


class ConsumedFacts:
    """Facts by topic. All runs are read when a topic is first followed; later facts come from the watch of runs in all namespaces,
    including those of other shards."""

    def __init__(self, client: Client, audience: Audience) -> None:
        self._client, self._audience = client, audience
        self._facts: dict[Topic, dict[str, Fact]] = {}
        self._read: set[Topic] = set()
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By namespace, so that a long reading delays no other namespace."""

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, changed or deleted."""
        for kind, fact in facts_of(run):
            topic = (kind, fact.namespace, fact.source)
            if topic not in self._facts:
                continue
            if not self._audience.followed(topic):
                self._facts.pop(topic)
                self._read.discard(topic)
            elif deleted:
                self._facts[topic].pop(fact.id, None)
            elif fact.id not in self._facts[topic]:
                self._facts[topic][fact.id] = fact
                self._audience.notify(topic)

    async def of(self, topics: Sequence[Topic]) -> list[Fact]:
        """All known facts of these topics, in no particular order. Raises errors of the API."""
        for namespace in sorted({namespace for _, namespace, _ in topics}):
            there = [topic for topic in topics if topic[1] == namespace]
            if self._unread(there):
                async with self._reading[namespace]:
                    self._forget_unfollowed(namespace, there)
                    for (kind, _, dag), unread in self._unread(there).items():
                        await self._list(kind, namespace, dag, unread)
        return [fact for topic in topics for fact in self._facts.get(topic, {}).values()]

    def _forget_unfollowed(self, namespace: str, asked: Sequence[Topic]) -> None:
        """Drops topics that no trigger follows, as perhaps no run will ever concern them again."""
        for topic in [topic for topic in self._facts if topic[1] == namespace and topic not in asked]:
            if not self._audience.followed(topic):
                del self._facts[topic]
                self._read.discard(topic)

    def _unread(self, topics: Sequence[Topic]) -> dict[tuple[str, str, str], set[Topic]]:
        """Topics that have not been read, by kind, namespace and the DAG whose runs have facts about them; for assets, all runs may."""
        found: dict[tuple[str, str, str], set[Topic]] = {}
        for topic in topics:
            if topic not in self._read:
                kind, namespace, source = topic
                dag = source.partition("/")[2] if kind == "completed" else ""
                found.setdefault((kind, namespace, dag), set()).add(topic)
        return found

    async def _list(self, kind: str, namespace: str, dag: str, topics: set[Topic]) -> None:
        """Reads the facts of topics. Those that the watch reports meanwhile are kept."""
        for topic in topics:
            self._facts.setdefault(topic, {})
        query = {"fieldSelector": f"spec.dag={dag}"} if dag else {}
        async for item in items(self._client, RUNS, namespace, FACTS_PAGE, **query):
            for other, fact in facts_of(read_run(orjson.loads(item))):
                topic = (other, fact.namespace, fact.source)
                if topic in topics and topic in self._facts:
                    self._facts[topic][fact.id] = fact
        self._read.update(topics & self._facts.keys())
