"""Sensors: asking, now and then, whether something is there. They hold no pod, as tasks and as triggers."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import (
    BUCKET,
    REGION,
    SEGMENT,
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
"""Fields of a sensor that say what it asks. One of them has to be there."""
WATCHED = ("http", "bucket", "sql")
"""Those of a trigger's."""
CONDITION = "^[A-Za-z0-9/._-]*$"
HOST = r"^([A-Za-z0-9._-]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$"
MOST_KEYS = 200
"""Keys that a trigger's status keeps."""


class HttpPoll(Model):
    """An HTTP request. Expressions know `status` and `body` of the response, parsed when it is JSON."""

    url: Annotated[str, Field(min_length=1, max_length=8_192)]
    """http:// or https:// address; `$[[ ]]` is rendered. A name without dots is a Service of the namespace."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """Request method. It is sent again and again: nothing may depend on how often."""
    headers: Annotated[dict[str, ShortText], Field(max_length=64)] = {}
    """Request headers; `$[[ ]]` is rendered. `$(NAME)` is replaced by a variable of envFrom, or of a task's env."""
    body: Text = ""
    """Request body; `$[[ ]]` is rendered."""
    timeout: Duration = "30s"
    """Limit for one request, up to 5m."""


class BucketPoll(Model):
    """A look into a bucket of an S3-compatible server. Expressions know `objects`, the first 100 that there are, each with key, size,
    etag and lastModified, and `count`, how many there are, up to 1,000."""

    endpoint: Annotated[str, Field(max_length=512, pattern="^https?://[^/?#]+/?$")]
    """Address of the server, as the operator sees it, e.g. https://s3.eu-central-1.amazonaws.com. The bucket is part of the path, not of the
    host."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=BUCKET)]
    """The bucket."""
    key: Annotated[str, Field(max_length=1_024)] = ""
    """The key of the object; `$[[ ]]` is rendered."""
    prefix: Annotated[str, Field(max_length=1_024)] = ""
    """What the keys of the objects begin with, instead of `key`; `$[[ ]]` is rendered. With neither, all objects are meant."""
    region: Annotated[str, Field(min_length=1, max_length=63, pattern=REGION)] = "us-east-1"
    """The region that requests are signed for."""
    secret_name: ObjectName
    """Secret of the namespace with the keys `accessKey` and `secretKey`, which need no more than the right to list the bucket."""


class SqlPoll(Model):
    """A query of a PostgreSQL database. Expressions know `rows`, each an object by the names of its columns, and `count`, how many there
    are."""

    host: Annotated[str, Field(max_length=253, json_schema_extra={"pattern": HOST})]
    """The server, as the operator sees it: a name or an address. A name without dots is a Service of the namespace."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    """Its port."""
    database: Annotated[str, Field(min_length=1, max_length=63)]
    """The database."""
    user: Annotated[str, Field(max_length=63)] = ""
    """Who asks; the Secret's `username` when empty. It needs no more than the right to read."""
    secret_name: ObjectName
    """Secret of the namespace with the key `password`; with `ca` as well, that certificate authority (PEM) is trusted instead of the
    system's."""
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    """Whether the connection is encrypted, and what of the server's certificate is verified: nothing (where the Secret has no `ca`), who
    signed it, its name too."""
    auth: Literal["SCRAM", "Any"] = "SCRAM"
    """How the server may ask for the password. SCRAM: so that it never learns it. Any: in clear text or as MD5 too, or not at all."""
    query: Annotated[str, Field(min_length=1, max_length=8_192)]
    """One SELECT, in which $1, $2 stand for the parameters. Nothing is rendered in it."""
    parameters: Annotated[list[ShortText], Field(max_length=32)] = []
    """Values of $1, $2 and so on, bound by the driver. `$[[ ]]` is rendered: one that is a whole value keeps its type, others are texts."""
    timeout: Duration = "10s"
    """Limit for the statement, up to 5m."""


class RunPoll(Model):
    """A look for a run of another DAG of the namespace. Expressions know `phase`, `name` and `results` of the latest one; all are empty
    while there is none."""

    dag: Name
    """Name of the other DAG."""
    logical_date: ShortText = "$[[ run.logicalDate ]]"
    """The run's logical date, a point in time with its zone; `$[[ ]]` is rendered. Empty for whatever date."""
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = {}
    """Labels that the run must have."""


class ObjectPoll(Model):
    """A look at a Kubernetes object of the namespace, or one without a namespace, that the operator may read. Expressions know `found`, and
    `object`."""

    api_version: ApiVersion
    """E.g. batch/v1."""
    kind: KindName
    """E.g. Job. No Secrets: what is found stands in the run's status."""
    name: Annotated[str, Field(min_length=1, max_length=1_024, pattern=rf"{SEGMENT}|{TEMPLATED}")]
    """Its name; `$[[ ]]` is rendered."""
    condition: Annotated[str, Field(max_length=316, json_schema_extra={"pattern": CONDITION})] = ""
    """A condition of its status that has to be True, where `until` is empty."""


def one_of_kinds(kinds: tuple[str, ...]) -> dict[str, Any]:
    """The CRD's rule that a sensor asks one thing."""
    there = ", ".join(f"has(self.{kind})" for kind in kinds)
    return crd(
        x_kubernetes_validations=[rule(f"[{there}].filter(x, x).size() == 1", f"write one of {', '.join(kinds)}")]
    )


class Sensor(Model):
    """What to ask, and how often."""

    http: HttpPoll | None = None
    """Asks an HTTP server."""
    bucket: BucketPoll | None = None
    """Looks for objects in a bucket."""
    sql: SqlPoll | None = None
    """Asks a PostgreSQL database."""
    interval: Duration = "1m"
    """Time between two polls, at least 1s; up to a tenth is added, so that many sensors don't ask at once. While polls come to nothing it
    doubles each time, up to 10m."""

    @property
    def kind(self) -> str:
        """Which of KINDS it has; empty when none."""
        return next((name for name in KINDS if getattr(self, name, None) is not None), "")


class TaskSensor(Sensor):
    """Waits, without a pod, until something is there. Its outputs are what the last poll found."""

    model_config = ConfigDict(json_schema_extra=one_of_kinds(KINDS))

    run: RunPoll | None = None
    """Looks for a run of another DAG."""
    object: ObjectPoll | None = None
    """Looks at a Kubernetes object."""
    until: Expression = ""
    """CEL over what a poll finds, besides params, tasks and run: where it is true, the task succeeds. When empty: for http, a status
    of 2xx; for bucket, an object; for sql, a row; for run, its success; for object, that it is there, or its `condition`."""
    timeout: Duration | None = None
    """How long to wait, from the end of the dependencies: it goes on while the operator is away. No limit when absent."""
    soft_fail: bool = False
    """When true, a task whose time is over is skipped instead of failed."""


class SensorStatus(Model):
    """How far a trigger's sensor has come."""

    cursor: Anything = None
    """What the next poll knows of the last one; of a bucket, up to where its objects have been dealt with."""
    keys: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MOST_KEYS)] = []
    """Digests of the latest keys, or objects, that were dealt with."""
