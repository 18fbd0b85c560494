"""How far a trigger has come that follows what runs do."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Model, Timestamp


class Fact(Model):
    """Something that a run has done."""

    source: str
    """What it is about: a DAG, as namespace/name, or an asset."""
    at: Timestamp
    """When."""
    namespace: str
    """Of the run."""
    run: str
    """The run's name."""
    uid: str
    """The run's uid."""
    outcome: str = ""
    """How the run ended."""
    task: str = ""
    """The task or item that made the asset."""
    partition: str = ""
    """Of the asset."""
    depth: int = 0
    """How many runs led to that run, by triggers that follow runs."""


class TriggerProgressStatus(Model):
    """How far what one source does has been dealt with."""

    name: str
    """A DAG, as namespace/name, or an asset."""
    since: Timestamp | None = None
    """What was before this has been dealt with. None while the source is refused."""
    last: str = ""
    """Of that second, up to this one."""
    taken: str = ""
    """What was later and has been dealt with: digests, each with its seconds from `since`."""
    latest_at: Timestamp | None = None
    """When the latest of it was."""
    latest_run: str = ""
    """Which run it was."""


class Occasion(Model):
    """What a run is to be made for."""

    suffix: str
    """The end of that run's name."""
    facts: Annotated[list[Fact], Field(max_length=64)]
    """What it is about; the last one made it complete."""


class Gathered(Model):
    """What has been dealt with, and what came of it so far."""

    sources: Annotated[list[TriggerProgressStatus], Field(max_length=64)] = []
    """How far each source has been followed."""
    pending: Annotated[list[Fact], Field(max_length=1_000)] = []
    """What has happened and has not led to a run yet."""
    due: Annotated[list[Occasion], Field(max_length=100)] = []
    """Runs that are being made."""
    skipped: Annotated[str, Field(max_length=1_024)] = ""
    """What became of the latest occasion that got no run, and why."""
