"""Artifacts: large results of tasks, kept in a store and passed on by reference."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import BUCKET, REGION, TEMPLATED, Expression, Model, ObjectName, crd, rule
from tradewind.model.duration import Duration

PATH = r"^[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*$"
"""A file or folder below another: no `..`, nothing hidden, not absolute."""
Path = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"pattern": PATH})]
SOURCES = ("from", "reference", "key", "url", "text")
"""The fields of which an input has one."""
MAX_SIZE = "10Gi"
MAX_OUTPUTS = 8
"""Their references must fit into one termination message."""


class VolumeStore(Model):
    """A volume in the run's namespace."""

    claim_name: ObjectName
    """Name of the PersistentVolumeClaim. If tasks run on several nodes at once, it must be ReadWriteMany."""
    path: Annotated[str, Field(max_length=256, json_schema_extra={"pattern": rf"^$|{PATH}"})] = ""
    """Folder on the volume. Empty means its root."""


class ObjectStore(Model):
    """A bucket of an S3-compatible server."""

    endpoint: Annotated[str, Field(max_length=512, json_schema_extra={"pattern": "^https?://[^/?#]+/?$"})]
    """URL of the server as seen from pods, e.g. https://s3.eu-central-1.amazonaws.com. Requests use path-style
    addressing: the bucket is part of the path, not of the host name."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=BUCKET)]
    """Name of the bucket, which must exist."""
    prefix: Annotated[str, Field(max_length=256, json_schema_extra={"pattern": rf"^$|{PATH}"})] = ""
    """Prefix of the keys of all objects."""
    region: Annotated[str, Field(min_length=1, max_length=63, pattern=REGION)] = "us-east-1"
    """Region that requests are signed for."""
    secret_name: ObjectName
    """Name of a Secret in the run's namespace with the keys `accessKey` and `secretKey`. The task's own container never
    sees them."""


class Store(Model):
    """Storage for artifacts: a volume or a bucket."""

    model_config = ConfigDict(
        json_schema_extra=crd(x_kubernetes_validations=[rule("has(self.volume) != has(self.s3)", "write volume or s3")])
    )

    volume: VolumeStore | None = None
    """Stores artifacts on a volume."""
    s3: ObjectStore | None = None
    """Stores artifacts in a bucket."""


class Artifacts(Model):
    """Settings for the artifacts of a DAG."""

    store: Store
    """Storage for the artifacts."""
    upload_timeout: Duration = "10m"
    """Time limit for storing the artifacts of an attempt after its container has ended."""
    expire_after: Duration | None = None
    """Age at which artifacts of this DAG expire. They are deleted when a task of the DAG next stores artifacts. When
    absent, artifacts never expire."""


class ArtifactOutput(Model):
    """A file or folder that the task creates."""

    path: Path
    """Path below $TRADEWIND_ARTIFACTS. If it doesn't exist when the container ends, the attempt fails."""


class ArtifactInput(Model):
    """A file or folder that the task receives. It names its source with one of `from`, `reference`, `key`, `url` and
    `text`."""

    from_: Annotated[Annotated[str, Field(min_length=3, max_length=127)] | None, Field(alias="from")] = None
    """An artifact, as TASK.ARTIFACT, of a task upstream. For a fan-out, the input is a folder with one entry per item,
    named by its index."""
    reference: Expression = ""
    """CEL that yields the reference of an artifact, such as `params.model` in a sub-DAG, or
    `tasks.train.outputs.model` after one. The artifact must be in this DAG's store."""
    key: Annotated[str, Field(max_length=1024)] = ""
    """Key of an object in the DAG's store, made by others, below the store's path or prefix. With a `/` at its
    end, all objects below it, as a folder. May contain expressions."""
    url: Annotated[str, Field(max_length=2048, json_schema_extra={"pattern": rf"^$|^https?://|{TEMPLATED}"})] = ""
    """Address to download from, without credentials. May contain expressions."""
    sha256: Annotated[str, Field(max_length=64, json_schema_extra={"pattern": "^$|^[0-9a-f]{64}$"})] = ""
    """Checksum that the file from `url` or `key` must have."""
    unpack: bool = False
    """If true, the file from `url` or `key` is a tar or zip archive, and the input is the folder of its contents."""
    max_size: Annotated[str, Field(max_length=16, pattern=r"^[1-9][0-9]{0,5}[KMGT]i$")] = MAX_SIZE
    """Maximum size of the file from `url`, and of what an archive contains (`unpack`), e.g. 50Gi. The attempt fails if
    there is more."""
    text: Annotated[str, Field(max_length=16_384)] | None = None
    """Contents of the file. May contain expressions."""
    path: Path
    """Path below $TRADEWIND_ARTIFACTS where the task finds it."""
    optional: bool = False
    """If true, the task starts without the artifact when there is none: the upstream task has not created it, the
    reference is null, there is nothing under the key, or the server answers 404 or 410."""


class TaskArtifacts(Model):
    """Large files and folders that a task creates or receives."""

    outputs: Annotated[dict[str, ArtifactOutput], Field(max_length=MAX_OUTPUTS)] = {}
    """Artifacts that the task creates, by name. They are stored after its container has succeeded. The task's outputs
    contain their references as `tasks.NAME.outputs.artifacts.ARTIFACT`, with uri, size, sha256 and type (file or
    folder)."""
    inputs: Annotated[dict[str, ArtifactInput], Field(max_length=32)] = {}
    """Artifacts that the task receives, by name. They are downloaded, and their size and checksum verified, before its
    container starts."""
