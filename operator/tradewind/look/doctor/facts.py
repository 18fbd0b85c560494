"""Facts about a cluster and an installation. Each may be unknown, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tradewind.look.waiting.survey import Surveyed

Body = Mapping[str, Any]
NAME = "app.kubernetes.io/name"
"""The chart's label by which its Deployments and pods are found."""
OPERATOR, WEBHOOK, EVENTS = "tradewind", "tradewind-webhook", "tradewind-events"
"""The values of that label."""
SKEW = 5.0
"""Seconds by which clocks may differ. Durations, ages and ticks are off by as much."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be found out, and why: a missing right, a server that does not answer, a kind that it does
    not have."""

    why: str
    do: str = ""
    """What to do about it; empty if that depends."""


@dataclass(frozen=True, slots=True)
class Right:
    """An action that an account may or may not be allowed."""

    verb: str
    resource: str
    """With the subresource, if any: `dagruns/status`."""

    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


@dataclass(slots=True)
class Facts:
    """The input of all checks. Times are epoch seconds."""

    namespace: str
    """The namespace whose runs and rights are checked; empty for all namespaces."""

    now: float
    """This machine's clock at the time when `server_time` was requested."""

    version: Body | Unknown
    """The server's `/version`."""

    home: str = ""
    """The only namespace in which operators were looked for; empty for all."""

    server_time: float | Unknown = Unknown("not asked")
    crds: Sequence[Body] | Unknown = Unknown("not asked")
    """CustomResourceDefinitions of Tradewind's group."""

    deployments: Sequence[Body] | Unknown = Unknown("not asked")
    pods: Sequence[Body] | Unknown = Unknown("not asked")
    leases: Sequence[Body] | Unknown = Unknown("not asked")
    """Leases in the operators' namespaces."""

    leases_after: float = 0.0
    """Seconds between `server_time` and the reading of the Leases."""

    renewing: frozenset[str] = frozenset()
    """Leases, as `namespace/name`, that looked old and were renewed while they were watched: clocks differ."""

    webhooks: Sequence[Body] | Unknown = Unknown("not asked")
    """ValidatingWebhookConfigurations of Tradewind."""

    answering: Mapping[str, int] | Unknown = Unknown("not asked")
    """Service of a webhook, as `namespace/name` -> number of pods that serve it."""

    refused: str | Unknown = Unknown("not asked")
    """The server's answer to an invalid DAG (a dry run); empty if it accepts it."""

    mine: Mapping[Right, bool] | Unknown = Unknown("not asked")
    """The user's rights in the namespace."""

    operators: Mapping[str, Mapping[Right, bool]] | Unknown = Unknown("not asked")
    """The rights there of the accounts of the operators that serve it, by Deployment (`namespace/name`)."""

    invalid: Sequence[Body] | Unknown = Unknown("not asked")
    """DAGs, triggers, backfills and templates that are invalid."""

    runs: Sequence[Surveyed] | Unknown = Unknown("not asked")
    """Runs that have not ended."""

    def age_of(self, lease: Body) -> float:
        """Seconds since a Lease was renewed, by the API server's clock if it is known."""
        asked = self.now if isinstance(self.server_time, Unknown) else self.server_time
        return asked + self.leases_after - datetime.fromisoformat(lease["spec"]["renewTime"]).timestamp()

    @property
    def local(self) -> bool:
        """Whether the server is that of `tradewind dev`."""
        return not isinstance(self.version, Unknown) and str(self.version.get("gitVersion")).endswith("+tradewind")


MINE = (Right("list", "dags", "tradewind.dev"), Right("create", "dags", "tradewind.dev"), Right("create", "dagruns", "tradewind.dev"),
        Right("list", "pods"), Right("get", "pods/log"))  # fmt: skip
"""The rights that are needed to write DAGs, run them and read their logs."""
OPERATORS = (
    *(Right(verb, resource, "tradewind.dev") for resource in ("dags", "dagruns", "triggers", "pools") for verb in ("list", "watch")),
    *(Right(verb, "dagruns", "tradewind.dev") for verb in ("create", "patch", "delete")),
    Right("update", "dagruns/status", "tradewind.dev"), Right("patch", "dags/status", "tradewind.dev"),
    *(Right(verb, "pods") for verb in ("list", "watch", "create", "delete")), Right("create", "events"),
    *(Right(verb, "controllerrevisions", "apps") for verb in ("get", "list", "create")),
)  # fmt: skip
"""The rights without which no run progresses. The chart's roles grant these and some more."""
