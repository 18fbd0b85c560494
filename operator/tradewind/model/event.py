"""Events: what may be posted to the endpoint for a trigger, by whom, and which of them are the same."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DataKey, Expression, Model, ObjectName, crd, rule
from tradewind.model.duration import Duration


class SecretKey(Model):
    """A value in a Secret."""

    name: ObjectName
    """Name of the Secret, in the trigger's namespace."""
    key: DataKey
    """The key in its data. The value has to have at least 16 bytes; white space at its end does not count."""


class KubernetesSenders(Model):
    """Senders with a token of the cluster. They need the right to `create` the resource `triggers/events` of the group tradewind.dev, for
    this trigger's name."""

    audience: Annotated[str, Field(max_length=253)] = "tradewind-events"
    """For whom the token has to be made: `kubectl create token NAME --audience tradewind-events`. A token for one audience is good for
    nothing else, whoever gets hold of it. Empty: tokens for the API server."""


class SignedEvents(Model):
    """Senders who know a secret, and sign each event with it: HMAC with SHA-256, as hexadecimal digits, with or without `sha256=` before
    them."""

    secret_ref: SecretKey
    """The secret."""
    header: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")] = "Tradewind-Signature"
    """The header with the signature."""
    covers: Literal["TimestampAndBody", "Body"] = "TimestampAndBody"
    """TimestampAndBody: the header Tradewind-Timestamp (seconds since 1970), a line feed, the header Idempotency-Key where there is one, a
    line feed, and the body. Body: the body alone, as GitHub and others sign; then an event that is sent again is only told by its body."""
    window: Duration = "5m"
    """How far the timestamp may lie from the time of the endpoint: from 1s to 5m."""


class KnownToken(Model):
    """Senders who know a token, and send it as `Authorization: Bearer TOKEN`."""

    secret_ref: SecretKey
    """The token."""


class Authentication(Model):
    """How senders prove that they may. Exactly one."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[
                rule(
                    "[has(self.kubernetes), has(self.hmac), has(self.token)].filter(x, x).size() == 1",
                    "write one of kubernetes, hmac and token",
                )
            ]
        )
    )

    kubernetes: KubernetesSenders | None = None
    """By a token of the cluster, and RBAC."""
    hmac: SignedEvents | None = None
    """By a signature."""
    token: KnownToken | None = None
    """By a token in a Secret."""


class EventSource(Model):
    """Events that are posted to `/v1/events/NAMESPACE/TRIGGER`. Each makes one run."""

    authentication: Authentication
    """How senders prove that they may."""
    key: Expression = ""
    """CEL that gives the event's key, as text or as an integer. Events with the same key make one run. When absent: the header
    Idempotency-Key, else `source` and `id` of a CloudEvent, else, of a signed event, its signature; without any of these each event is its
    own. The expression knows that as `event.key`."""
    concurrency: Literal["Allow", "Enqueue"] = "Allow"
    """Allow: runs go side by side. Enqueue: one follows the other, in the order in which they were made."""
    max_per_second: Annotated[int, Field(ge=1, le=1_000)] = 100
    """How many events each replica of the endpoint takes; up to ten times as many at once after a pause."""
    results: bool = False
    """Lets senders wait for the run's outcome and its results (the DAG's `spec.outputs`), by `?wait=30s`."""
