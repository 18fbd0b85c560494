"""Triggers that wait for updates of assets."""

from collections.abc import Mapping
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.control.triggers.sources.run_based import Followed, RunBasedSource, few, moment
from tradewind.model.asset import Assets
from tradewind.model.duration import stamp
from tradewind.plan.triggers import asset_update
from tradewind.plan.triggers.accumulate import Occasion
from tradewind.plan.triggers.run_fact import Fact
from tradewind.plan.triggers.trigger import Firing


class AssetSource(RunBasedSource):
    """The source `assets`. The statuses of runs record which assets their tasks updated."""

    kind, how = "assets", "asset"

    async def followed(self, trigger: TriggerSnapshot) -> Followed:
        """The assets of the trigger's namespace, whether or not anything produces them yet."""
        return Followed({name: ("assets", trigger.namespace, name) for name in asset_update.names(_spec(trigger))})

    async def counts(self, trigger: TriggerSnapshot, fact: Fact) -> bool:
        """Every update counts."""
        return True

    def complete(self, trigger: TriggerSnapshot, had: Mapping[str, Fact]) -> bool:
        """Whether the updates of a partition are enough."""
        return asset_update.complete(_spec(trigger), had)

    async def firing(self, trigger: TriggerSnapshot, found: Occasion) -> Firing:
        """The occasion; its date is that of the last update."""
        updates = await few(found.facts, self._tell)
        return Firing(
            suffix=found.suffix,
            how=self.how,
            at=moment(found.facts[-1]),
            depth=found.depth,
            cause=", ".join(
                f"asset {fact.source}{f' {fact.partition}' if fact.partition else ''} of DAGRun {fact.run}"
                + (f", task {fact.task}" if fact.task else "")
                for fact in reversed(found.facts)
            ),
            values=asset_update.values(
                updates[-1], {fact.source: update for fact, update in zip(found.facts, updates, strict=True)}
            ),
        )

    async def _tell(self, fact: Fact) -> dict[str, Any]:
        return _values(fact, await self.read(fact))


def _values(fact: Fact, run: Run | None) -> dict[str, Any]:
    """The values of an update for expressions; without DAG and metadata if the run is gone."""
    at = stamp(fact.at)
    same = {"name": fact.source, "partition": fact.partition, "task": fact.task, "at": at}
    produced = (run.status.get("produced") or ()) if run else ()
    found: Mapping[str, Any] = next(
        (item for item in produced if same.items() <= {"partition": "", "task": "", **item}.items()), {}
    )
    more = {"namespace": fact.namespace, "run": fact.run, "dag": run.dag if run else ""}
    return {**same, **more, "metadata": found.get("metadata") or {}}


def _spec(trigger: TriggerSnapshot) -> Assets:
    assert trigger.spec.assets is not None  # noqa: S101 - the source of the trigger
    return trigger.spec.assets
