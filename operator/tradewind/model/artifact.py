"""Artifacts: big results of tasks, kept in a store and passed on by reference."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import BUCKET, REGION, Model, ObjectName, crd, rule
from tradewind.model.duration import Duration

PATH = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*$"
"""A file or folder below another: no `..`, nothing hidden, no root."""
Path = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"pattern": PATH})]
MAX_OUTPUTS = 8
"""Their references have to fit into one termination message."""


class VolumeStore(Model):
    """A volume of the run's namespace."""

    claim_name: ObjectName
    """The PersistentVolumeClaim. Tasks on several nodes at once need one that is ReadWriteMany."""
    path: Annotated[str, Field(max_length=256, json_schema_extra={"pattern": rf"^$|{PATH}"})] = ""
    """The folder on it; its root when empty."""


class ObjectStore(Model):
    """A bucket of an S3-compatible server."""

    endpoint: Annotated[str, Field(max_length=512, json_schema_extra={"pattern": "^https?://[^/?#]+/?$"})]
    """Address of the server, as pods see it, e.g. https://s3.eu-central-1.amazonaws.com. The bucket is part of the path, not of the host."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=BUCKET)]
    """The bucket. It must exist."""
    prefix: Annotated[str, Field(max_length=256, json_schema_extra={"pattern": rf"^$|{PATH}"})] = ""
    """What the keys of all objects begin with."""
    region: Annotated[str, Field(min_length=1, max_length=63, pattern=REGION)] = "us-east-1"
    """The region that requests are signed for."""
    secret_name: ObjectName
    """Secret in the run's namespace with the keys `accessKey` and `secretKey`. The task's own container never sees them."""


class Store(Model):
    """Where artifacts are kept: a volume or a bucket."""

    model_config = ConfigDict(
        json_schema_extra=crd(x_kubernetes_validations=[rule("has(self.volume) != has(self.s3)", "write volume or s3")])
    )

    volume: VolumeStore | None = None
    """A volume claim."""
    s3: ObjectStore | None = None
    """A bucket."""


class Artifacts(Model):
    """The artifacts of a DAG."""

    store: Store
    """Where they are kept."""
    upload_timeout: Duration = "10m"
    """How long it may take to store the artifacts of an attempt, after its container has ended."""
    expire_after: Duration | None = None
    """Artifacts of this DAG that are older are removed when one of its tasks next stores some. None is removed when absent."""


class ArtifactOutput(Model):
    """A file or folder that the task makes."""

    path: Path
    """Where, below $TRADEWIND_ARTIFACTS. Missing at the task's end, the attempt fails."""


class ArtifactInput(Model):
    """A file or folder that the task is given."""

    from_: Annotated[str, Field(min_length=3, max_length=127, alias="from")]
    """TASK.ARTIFACT: an artifact of a task upstream. Of a fan-out it is a folder with one entry for each item, by its index."""
    path: Path
    """Where it is to be found, below $TRADEWIND_ARTIFACTS."""
    optional: bool = False
    """When true, the task starts without it if the task upstream made none."""


class TaskArtifacts(Model):
    """Big files and folders that a task makes, or is given."""

    outputs: Annotated[dict[str, ArtifactOutput], Field(max_length=MAX_OUTPUTS)] = {}
    """What it makes, by name: stored when its container has ended well. The references are in its outputs, as
    `tasks.NAME.outputs.artifacts.ARTIFACT`, with uri, size, sha256 and type (file or folder)."""
    inputs: Annotated[dict[str, ArtifactInput], Field(max_length=32)] = {}
    """What it is given, by name: fetched, and held against size and checksum, before its container starts."""
