"""Progress of triggers that follow runs."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Model, Timestamp


class Fact(Model):
    """An event in the life of a run: its end, or an update of an asset."""

    source: str
    """The DAG, as namespace/name, or the asset."""
    at: Timestamp
    """Time of the event."""
    namespace: str
    """Namespace of the run."""
    run: str
    """Name of the run."""
    uid: str
    """Uid of the run."""
    outcome: str = ""
    """Outcome of the run."""
    task: str = ""
    """Task or item that made the version of the asset."""
    partition: str = ""
    """Partition of the asset."""
    depth: int = 0
    """Number of runs that led to this run, through triggers that follow runs."""


class TriggerProgressStatus(Model):
    """How far one source has been processed."""

    name: str
    """The DAG, as namespace/name, or the asset."""
    since: Timestamp | None = None
    """Everything before this time has been processed. Absent while the trigger may not follow the source."""
    last: str = ""
    """Digest up to which the events of that second have been processed."""
    taken: str = ""
    """Later events that have been processed: digests, each with its seconds after `since`."""
    latest_at: Timestamp | None = None
    """Time of the latest processed event."""
    latest_run: str = ""
    """Run of the latest processed event."""


class Occasion(Model):
    """A run that is being created."""

    suffix: str
    """Suffix of the run's name."""
    facts: Annotated[list[Fact], Field(max_length=64)]
    """Events that the run is for. The last one completed the set."""


class Gathered(Model):
    """Processed events, and the runs that result from them."""

    sources: Annotated[list[TriggerProgressStatus], Field(max_length=64)] = []
    """Progress of each source."""
    pending: Annotated[list[Fact], Field(max_length=1_000)] = []
    """Events that count but have not led to a run yet."""
    due: Annotated[list[Occasion], Field(max_length=100)] = []
    """Runs that are being created."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """The latest events for which no run was created, and the reason."""
