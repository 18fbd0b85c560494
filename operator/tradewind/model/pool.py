"""Pool and ClusterPool: named limits on what runs at once."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DNS_LABEL, TEMPLATED, Model, Name, ShortText, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.object_change import LabelSelector

PoolKind = Literal["Pool", "ClusterPool"]


class PoolClaim(Model):
    """Slots of a pool that a task holds while it runs."""

    name: Annotated[str, Field(min_length=1, max_length=1_024, pattern=rf"{DNS_LABEL}|{TEMPLATED}")]
    """Name of the pool. `$[[ ]]` over params and run is rendered when the run starts, e.g. `erp-$[[ params.region ]]`."""
    kind: PoolKind = "Pool"
    """Pool: a pool in the run's namespace. ClusterPool: a pool shared by all namespaces."""
    slots: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of slots."""


class PoolSpec(Model):
    """The limit."""

    description: ShortText = ""
    """Purpose of the limit."""
    slots: Annotated[int, Field(ge=0, le=100_000)]
    """Number of slots. With 0, nothing starts."""


class PoolAllow(Model):
    """Namespaces, selected by name or by labels."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "has(self.namespaces) || has(self.namespaceSelector)",
                    "write namespaces, namespaceSelector or both; leave allow out to allow all",
                )
            ]
        )
    )

    namespaces: Annotated[list[Name], Field(max_length=1_000)] = []
    """Names of namespaces."""
    namespace_selector: LabelSelector | None = None
    """Labels of namespaces. An empty selector selects all."""


class ClusterPoolSpec(PoolSpec):
    """The limit shared by namespaces."""

    allow: PoolAllow | None = None
    """Namespaces that may claim slots. Defaults to all. A task of any other namespace waits and reports the reason."""


class PoolUser(Model):
    """A task that holds slots or waits for them."""

    namespace: str = ""
    """Namespace of the run."""
    run: str
    """Name of the run."""
    task: str
    """The task, or task[index] for an item."""
    slots: int = 1
    """Number of slots."""


class PoolStatus(Model):
    """Holders and waiters, counted from what runs."""

    observed_generation: int = 0
    """The generation that this status describes."""
    used: int = 0
    """Number of slots held."""
    waiting: int = 0
    """Number of tasks and items that wait for slots."""
    holders: Annotated[list[PoolUser], Field(max_length=20)] = []
    """Some of the tasks that hold slots."""
    waiters: Annotated[list[PoolUser], Field(max_length=20)] = []
    """The next tasks in the queue."""
    conditions: Conditions = []
    """Ready: true if the operator enforces the limit."""


class Pool(Model):
    """A limit on how many tasks of a namespace run at once."""

    kind: ClassVar = "Pool"
    plural: ClassVar = "pools"
    scope: ClassVar = "Namespaced"
    short_names: ClassVar[list[str]] = []
    name_limit: ClassVar = 63
    columns: ClassVar[list[dict[str, Any]]] = [
        {"name": "Slots", "type": "integer", "jsonPath": ".spec.slots"},
        {"name": "Used", "type": "integer", "jsonPath": ".status.used"},
        {"name": "Waiting", "type": "integer", "jsonPath": ".status.waiting"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    selectable: ClassVar[list[str]] = []

    spec: PoolSpec
    """The limit."""
    status: PoolStatus | None = None
    """Holders and waiters."""


class ClusterPool(Pool):
    """A limit on how many tasks of all namespaces run at once."""

    kind: ClassVar = "ClusterPool"
    plural: ClassVar = "clusterpools"
    scope: ClassVar = "Cluster"

    spec: ClusterPoolSpec
    """The limit."""
