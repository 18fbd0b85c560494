"""Triggers that follow the runs of other DAGs."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.dag_index import DAGIndex
from tradewind.control.triggers.run_facts import ConsumedFacts
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.control.triggers.source import NotReady
from tradewind.control.triggers.sources.run_based import Followed, RunBasedSource, few, moment
from tradewind.kube.client import Client
from tradewind.model.completed_run import Completed
from tradewind.model.duration import seconds, stamp
from tradewind.plan.triggers import completed_run
from tradewind.plan.triggers.accumulate import Occasion
from tradewind.plan.triggers.run_fact import Fact
from tradewind.plan.triggers.trigger import Firing, evaluator


class CompletedRunSource(RunBasedSource):
    """The source `completed`."""

    kind, how = "completed", "dag"

    def __init__(
        self,
        client: Client,
        facts: ConsumedFacts,
        dags: DAGIndex,
        watched: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`watched` returns whether the operator knows the runs of a namespace."""
        super().__init__(client, facts, clock)
        self._dags, self._watched = dags, watched

    async def followed(self, trigger: TriggerSnapshot) -> Followed:
        """DAGs of the trigger's own namespace are followed whether or not they exist yet, others while they allow it."""
        topics, refused, words = {}, set(), []
        spec = _spec(trigger)
        follows = completed_run.follows(spec, trigger.namespace)
        if len(follows) < len(spec.dags):
            raise NotReady("spec.completed.dags: a DAG is listed twice: list each DAG once, with all its outcomes")
        for index, (source, dag) in enumerate(follows.items()):
            owner = dag.namespace or trigger.namespace
            topics[source] = ("completed", owner, source)
            if (owner, dag.name) == (trigger.namespace, trigger.spec.dag):
                refused.add(source)
                words.append(f"spec.completed.dags[{index}]: a DAG whose runs start others of it would never stop")
                continue
            there = self._watched(owner) and await self._dags.of(owner, dag.name) is not None
            if not there or not completed_run.may_follow(
                await self._dags.allowed(owner, dag.name), owner, trigger.namespace
            ):
                words.append(completed_run.refusal(index, dag, trigger.namespace))
                if owner != trigger.namespace:
                    refused.add(source)
        return Followed(topics, frozenset(refused), "; ".join(words)[:4_096])

    async def counts(self, trigger: TriggerSnapshot, fact: Fact) -> bool:
        """Whether the run satisfies the `when` of its DAG."""
        spec = _spec(trigger)
        names = list(completed_run.follows(spec, trigger.namespace))
        index = names.index(fact.source)
        when = spec.dags[index].when
        if not when:
            return True
        run_values = self._values(fact, await self.read(fact))
        values = completed_run.values(run_values, {_name(fact, trigger): run_values})
        return bool(evaluator(f"spec.completed.dags[{index}].when", "completed", values)(when))

    def complete(self, trigger: TriggerSnapshot, had: Mapping[str, Fact]) -> bool:
        """Whether enough of the DAGs had a run."""
        return completed_run.complete(_spec(trigger), had)

    def within(self, trigger: TriggerSnapshot) -> float | None:
        """spec.completed.within"""
        limit = _spec(trigger).within
        return seconds(limit) if limit else None

    async def firing(self, trigger: TriggerSnapshot, found: Occasion) -> Firing:
        """The occasion; its date is the end of the last run."""
        runs = await few(found.facts, self._tell)
        return Firing(
            suffix=found.suffix,
            how=self.how,
            at=moment(found.facts[-1]),
            depth=found.depth,
            cause=", ".join(f"DAGRun {fact.namespace}/{fact.run} {fact.outcome}" for fact in reversed(found.facts)),
            values=completed_run.values(runs[-1][1], {_name(fact, trigger): run_values for fact, run_values in runs}),
        )

    async def _tell(self, fact: Fact) -> tuple[Fact, dict[str, Any]]:
        return fact, self._values(fact, await self.read(fact))

    def _values(self, fact: Fact, run: Run | None) -> dict[str, Any]:
        """The values of a run for expressions; without params and outputs if the run is gone."""
        status: Mapping[str, Any] = run.status if run else {}
        at = stamp(fact.at)
        return {
            "dag": fact.source.partition("/")[2],
            "namespace": fact.namespace,
            "run": fact.run,
            "uid": fact.uid,
            "outcome": fact.outcome,
            "finishedAt": at,
            "startedAt": status.get("startedAt") or at,
            "logicalDate": run.facts.logical_date if run else at,
            "params": status.get("params") or {},
            "results": status.get("results") or {},
            "outputs": status.get("outputs") or {},
        }


def _spec(trigger: TriggerSnapshot) -> Completed:
    assert trigger.spec.completed is not None  # noqa: S101 - the source of the trigger
    return trigger.spec.completed


def _name(fact: Fact, trigger: TriggerSnapshot) -> str:
    """The name of a DAG in expressions."""
    return fact.source.partition("/")[2] if fact.namespace == trigger.namespace else fact.source
