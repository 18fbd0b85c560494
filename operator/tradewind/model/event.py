"""Events: who may post them to a trigger, and which of them are duplicates."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import DataKey, Expression, Model, ObjectName, crd, rule
from tradewind.model.duration import Duration


class SecretKey(Model):
    """A key of a Secret."""

    name: ObjectName
    """Name of the Secret, in the trigger's namespace."""
    key: DataKey
    """Key in the Secret's data. The value must have at least 16 bytes; trailing white space is ignored."""


class KubernetesSenders(Model):
    """Accepts senders with a Kubernetes token. RBAC must allow them to `create` the resource `triggers/events` of the
    group tradewind.dev with this trigger's name."""

    audience: Annotated[str, Field(max_length=253)] = "tradewind-events"
    """Audience that the token must be issued for: `kubectl create token NAME --audience tradewind-events`. Such a token
    is useless for anything else if it leaks. Empty means the API server's own audience."""


class SignedEvents(Model):
    """Accepts events signed with a shared secret: HMAC-SHA256 as hexadecimal digits, optionally prefixed with
    `sha256=`."""

    secret_ref: SecretKey
    """The shared secret."""
    header: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")] = "Tradewind-Signature"
    """Name of the header that contains the signature."""
    covers: Literal["TimestampAndBody", "Body"] = "TimestampAndBody"
    """Content that is signed. TimestampAndBody: the header Tradewind-Timestamp (Unix seconds), a line feed, the header
    Idempotency-Key with a line feed if it is sent, and the body. Body: the body alone, as GitHub and others sign;
    repeated events can then be recognized only by their body."""
    window: Duration = "5m"
    """Maximum difference between the timestamp and the endpoint's clock, from 1s to 5m."""


class KnownToken(Model):
    """Accepts senders that send a shared token as `Authorization: Bearer TOKEN`."""

    secret_ref: SecretKey
    """The shared token."""


class Authentication(Model):
    """How senders authenticate. Exactly one must be set."""

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
    """Kubernetes token, authorized by RBAC."""
    hmac: SignedEvents | None = None
    """HMAC signature."""
    token: KnownToken | None = None
    """Token stored in a Secret."""


class EventSource(Model):
    """Fires for events posted to `/v1/events/NAMESPACE/TRIGGER`. Each event creates one run."""

    authentication: Authentication
    """How senders authenticate."""
    key: Expression = ""
    """CEL that returns the event's key, a string or an integer. Events with the same key create only one run. Defaults
    to the header Idempotency-Key, else `source` and `id` of a CloudEvent, else the signature of a signed event; without
    any of these, every event is unique. The expression can use the default as `event.key`."""
    concurrency: Literal["Allow", "Enqueue"] = "Allow"
    """Allow: runs may overlap. Enqueue: runs execute one after another, in the order of their creation."""
    max_per_second: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Maximum rate of events per second that each replica of the endpoint accepts. After a pause, a burst may have up
    to ten times as many."""
    results: bool = False
    """If true, senders can wait for the run's outcome and results (the DAG's `spec.outputs`) with `?wait=30s`."""
