"""The operators that are installed: which namespaces each serves and which Leases it holds, by its Deployment's
arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.control.manager.manager import Options
from tradewind.look.doctor.facts import NAME, OPERATOR, Body, Facts, Unknown
from tradewind.plan.capacity.shard_share import shard_of


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator with a Deployment."""

    name: str
    """Of the Deployment, as `namespace/name`."""

    watched: tuple[str, ...]
    """The namespaces that it serves; empty for all."""

    lease_namespace: str
    lease_name: str
    shards: int

    def serves(self, namespace: str) -> bool:
        """Whether it serves a namespace; with an empty one, any."""
        return not namespace or not self.watched or namespace in self.watched

    @property
    def scope(self) -> str:
        """The namespaces that it serves, in words."""
        return ", ".join(self.watched) or "all namespaces"

    @property
    def leases(self) -> list[str]:
        """The Leases that need a holder, as `namespace/name`: one, or one per shard."""
        whole = f"{self.lease_namespace}/{self.lease_name}"
        return [whole] if self.shards == 1 else [f"{whole}-shard-{shard}" for shard in range(self.shards)]

    def lease_for(self, namespace: str) -> str:
        """The Lease whose holder works on a namespace."""
        return self.leases[shard_of(namespace, self.shards)]


def operators(deployments: Sequence[Body] | Unknown) -> list[Operator]:
    """The operators among the chart's Deployments."""
    if isinstance(deployments, Unknown):
        return []
    return [operator_of(body) for body in deployments if (body["metadata"].get("labels") or {}).get(NAME) == OPERATOR]


def serving(facts: Facts) -> list[Operator]:
    """The operators that serve the namespace; with an empty one, all."""
    return [operator for operator in operators(facts.deployments) if operator.serves(facts.namespace)]


def operator_of(deployment: Body) -> Operator:
    """The operator of a Deployment."""
    meta, args = deployment["metadata"], _arguments(deployment)
    shards = args.get("--shards", ["1"])[-1]
    return Operator(
        f"{meta['namespace']}/{meta['name']}",
        tuple(args.get("--namespace", ())),
        args.get("--lease-namespace", [meta["namespace"]])[-1],
        args.get("--lease-name", [Options().lease_name])[-1],
        max(1, int(shards)) if shards.isdecimal() else 1,
    )


def _arguments(deployment: Body) -> Mapping[str, Sequence[str]]:
    """The options of the operator's container with their values: `--name=value` or `--name value`."""
    containers: Any = deployment["spec"].get("template", {}).get("spec", {}).get("containers") or [{}]
    container = next((item for item in containers if item.get("name") == "operator"), containers[0])
    given = [str(arg) for arg in (*(container.get("command") or ()), *(container.get("args") or ()))]
    found: dict[str, list[str]] = {}
    for arg, following in zip(given, [*given[1:], ""], strict=True):
        name, equals, value = arg.partition("=")
        if name.startswith("--"):
            found.setdefault(name, []).append(value if equals else following)
    return found
