"""Pool and ClusterPool: named limits on what runs at once."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Model, Name, ShortText, crd, rule
from tradewind.model.condition import Conditions
from tradewind.model.object_change import LabelSelector

PoolKind = Literal["Pool", "ClusterPool"]


class PoolClaim(Model):
    """Slots of a pool that a task holds while its pod lives."""

    name: Name
    """Name of the pool."""
    kind: PoolKind = "Pool"
    """Pool: one in the run's namespace. ClusterPool: one that all namespaces share."""
    slots: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many slots."""


class PoolSpec(Model):
    """A limit."""

    description: ShortText = ""
    """What is limited, and why."""
    slots: Annotated[int, Field(ge=0, le=100_000)]
    """How many slots there are. 0 lets nothing start."""


class PoolAllow(Model):
    """Namespaces that are named, or that have the labels."""

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
    """Labels of namespaces; an empty selector stands for all of them."""


class ClusterPoolSpec(PoolSpec):
    """A limit that namespaces share."""

    allow: PoolAllow | None = None
    """Which namespaces may claim slots; all when absent. A task of another one waits, and says why."""


class PoolUser(Model):
    """A task that holds or wants slots."""

    namespace: str = ""
    """Namespace of the run."""
    run: str
    """The run."""
    task: str
    """The task, with its item."""
    slots: int = 1
    """How many slots."""


class PoolStatus(Model):
    """Who holds and who waits, as counted from live pods."""

    observed_generation: int = 0
    """The generation that this status describes."""
    used: int = 0
    """Slots held."""
    waiting: int = 0
    """Tasks and items that wait for slots."""
    holders: Annotated[list[PoolUser], Field(max_length=20)] = []
    """Some of those that hold slots."""
    waiters: Annotated[list[PoolUser], Field(max_length=20)] = []
    """The next ones in turn."""
    conditions: Conditions = []
    """Ready: whether the operator limits tasks by it."""


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
    """Who holds and who waits."""


class ClusterPool(Pool):
    """A limit on how many tasks of all namespaces run at once."""

    kind: ClassVar = "ClusterPool"
    plural: ClassVar = "clusterpools"
    scope: ClassVar = "Cluster"

    spec: ClusterPoolSpec
    """The limit."""
