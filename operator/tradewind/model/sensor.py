"""Sensors: poll at intervals until something exists. They need no pod, as tasks and as triggers."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import (
    BUCKET,
    REGION,
    SEGMENT,
    TASK_OR_ITEM,
    TEMPLATED,
    Anything,
    ApiVersion,
    Expression,
    KindName,
    LabelKey,
    LabelValue,
    Model,
    Name,
    ObjectName,
    ShortText,
    Text,
    crd,
    rule,
)
from tradewind.model.duration import Duration

KINDS = ("http", "bucket", "sql", "run", "object")
"""Fields of a sensor that define what it polls. Exactly one must be set."""
WATCHED = ("http", "bucket", "sql")
"""The ones that a trigger's sensor can have."""
CONDITION = "^[A-Za-z0-9/._-]*$"
HOST = r"^([A-Za-z0-9._-]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$"
MOST_KEYS = 200
"""Keys that a trigger's status keeps."""


class HttpPoll(Model):
    """An HTTP request. Expressions can use `status` and `body` of the response; the body is parsed if it is JSON."""

    url: Annotated[str, Field(min_length=1, max_length=8_192)]
    """URL with http:// or https://. `$[[ ]]` is rendered. A name without dots is a Service of the namespace."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """Request method. The request is repeated, so it must have no side effects."""
    headers: Annotated[dict[str, ShortText], Field(max_length=64)] = {}
    """Request headers. `$[[ ]]` is rendered. `$(NAME)` is replaced by a variable of envFrom, or of a task's env."""
    body: Text = ""
    """Request body. `$[[ ]]` is rendered."""
    timeout: Duration = "30s"
    """Time limit for one request, up to 5m."""


class BucketPoll(Model):
    """Lists a bucket of an S3-compatible server. Expressions can use `objects`, the first 100, each with key, size,
    etag and lastModified, and `count`, the number of objects, up to 1,000."""

    endpoint: Annotated[str, Field(max_length=512, pattern="^https?://[^/?#]+/?$")]
    """URL of the server as seen from the operator, e.g. https://s3.eu-central-1.amazonaws.com. Requests use path-style
    addressing: the bucket is part of the path, not of the host name."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=BUCKET)]
    """Name of the bucket."""
    key: Annotated[str, Field(max_length=1_024)] = ""
    """Key of the object. `$[[ ]]` is rendered."""
    prefix: Annotated[str, Field(max_length=1_024)] = ""
    """Prefix of the objects' keys, instead of `key`. `$[[ ]]` is rendered. Without key and prefix, all objects
    match."""
    region: Annotated[str, Field(min_length=1, max_length=63, pattern=REGION)] = "us-east-1"
    """Region that requests are signed for."""
    secret_name: ObjectName
    """Name of a Secret in the namespace with the keys `accessKey` and `secretKey`. They only need the right to list the
    bucket."""


class SqlPoll(Model):
    """A query to a PostgreSQL database. Expressions can use `rows`, a list of objects with the columns' names as keys,
    and `count`, the number of rows."""

    host: Annotated[str, Field(max_length=253, json_schema_extra={"pattern": HOST})]
    """Name or address of the server as seen from the operator. A name without dots is a Service of the namespace."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    """Port of the server."""
    database: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the database."""
    user: Annotated[str, Field(max_length=63)] = ""
    """Database user. Empty means the Secret's key `username`. The user only needs the right to read."""
    secret_name: ObjectName
    """Name of a Secret in the namespace with the key `password`. With the key `ca`, that certificate authority (PEM) is
    trusted instead of the system's."""
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    """Encryption and verification, as in libpq. disable: no encryption. require: encrypts, and verifies nothing unless
    the Secret has a `ca`. verify-ca: verifies that a trusted authority signed the certificate. verify-full: verifies
    the server's name too."""
    auth: Literal["SCRAM", "Any"] = "SCRAM"
    """Password authentication that the server may request. SCRAM: the password is never sent to the server. Any: also
    clear text, MD5, or no authentication."""
    query: Annotated[str, Field(min_length=1, max_length=8_192)]
    """One SELECT statement with $1, $2 and so on for the parameters. `$[[ ]]` is not allowed in it."""
    parameters: Annotated[list[ShortText], Field(max_length=32)] = []
    """Values of $1, $2 and so on, bound by the driver. `$[[ ]]` is rendered; an expression that is the whole value
    keeps its type, everything else is text."""
    timeout: Duration = "10s"
    """Time limit for the statement, up to 5m."""


class RunPoll(Model):
    """Looks for a run of another DAG in the namespace. Expressions can use `phase`, `name` and `results` of the latest
    one, which are empty while none exists; with `task` also `state`."""

    dag: Name
    """Name of the other DAG."""
    logical_date: ShortText = "$[[ run.logicalDate ]]"
    """Logical date of the run, with time zone. `$[[ ]]` is rendered. Empty matches any date."""
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = {}
    """Labels that the run must have."""
    task: Annotated[str, Field(max_length=70, pattern=TASK_OR_ITEM)] | None = None
    """A task of the run, or task[index] for an item of a fan-out. Expressions can use `state`, how it has ended: Succeeded,
    Failed, Lost, Skipped, UpstreamFailed or Cancelled; empty before its end."""


class ObjectPoll(Model):
    """Reads a Kubernetes object in the namespace, or a cluster-scoped one, that the operator may read. Expressions can
    use `found` and `object`."""

    api_version: ApiVersion
    """API version of the object, e.g. batch/v1."""
    kind: KindName
    """Kind of the object, e.g. Job. Secrets are not allowed, because the result becomes part of the run's status."""
    name: Annotated[str, Field(min_length=1, max_length=1_024, pattern=rf"{SEGMENT}|{TEMPLATED}")]
    """Name of the object. `$[[ ]]` is rendered."""
    condition: Annotated[str, Field(max_length=316, json_schema_extra={"pattern": CONDITION})] = ""
    """Condition in the object's status that must be True, if `until` is empty."""


def one_of_kinds(kinds: tuple[str, ...]) -> dict[str, Any]:
    """The CRD's rule that a sensor polls exactly one thing."""
    there = ", ".join(f"has(self.{kind})" for kind in kinds)
    return crd(
        x_kubernetes_validations=[rule(f"[{there}].filter(x, x).size() == 1", f"write one of {', '.join(kinds)}")]
    )


class Sensor(Model):
    """The target of a sensor, and how often to poll it."""

    http: HttpPoll | None = None
    """Polls an HTTP server."""
    bucket: BucketPoll | None = None
    """Polls for objects in a bucket."""
    sql: SqlPoll | None = None
    """Polls a PostgreSQL database."""
    interval: Duration = "1m"
    """Time between two polls, at least 1s; up to a tenth is added to spread polls. While polls fail it doubles each
    time, up to 10m."""

    @property
    def kind(self) -> str:
        """The one of KINDS that is set; empty if none is."""
        return next((name for name in KINDS if getattr(self, name, None) is not None), "")


class TaskSensor(Sensor):
    """Waits, without a pod, until a poll finds something. The task's outputs are the result of the last poll."""

    model_config = ConfigDict(json_schema_extra=one_of_kinds(KINDS))

    run: RunPoll | None = None
    """Polls for a run of another DAG."""
    object: ObjectPoll | None = None
    """Polls a Kubernetes object."""
    until: Expression = ""
    """CEL over the result of a poll, params, tasks and run. When it is true, the task succeeds. When empty, the task
    waits for: http, a status of 2xx; bucket, an object; sql, a row; run, its success, or that of its `task`; object, its existence or its
    `condition`."""
    timeout: Duration | None = None
    """Time limit for waiting, from the end of the dependencies; it keeps counting while the operator is down. No limit
    when absent."""
    soft_fail: bool = False
    """If true, the task is skipped instead of failed when the timeout expires."""


class SensorStatus(Model):
    """Progress of a trigger's sensor."""

    cursor: Anything = None
    """Value that the next poll gets as `cursor`; for a bucket, the position up to which its objects have been
    processed."""
    keys: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_KEYS)] = []
    """Digests of the latest processed keys or objects."""
