"""Sensors that start runs: they poll without end and remember what they have processed."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import EnvName, Expression
from tradewind.model.sensor import WATCHED, BucketPoll, Sensor, one_of_kinds
from tradewind.model.task import EnvSource


class BucketWatch(BucketPoll):
    """New objects in a bucket of an S3-compatible server. Each object fires once, and again when it is rewritten.
    Expressions can use `object.key`, `object.size`, `object.etag` and `object.lastModified`."""

    ordered: bool = False
    """If true, keys of new objects must sort after all existing ones, as dates do, and a poll lists only objects after
    the last one. Otherwise each poll lists all objects with the prefix, at most 10,000."""
    existing: bool = False
    """If true, objects from before the trigger was created or resumed start runs too."""


class TriggerSensor(Sensor):
    """Fires for the result of a poll if `when` is true, once for each key."""

    model_config = ConfigDict(json_schema_extra=one_of_kinds(WATCHED))

    bucket: BucketWatch | None = None
    """Watches a bucket for new objects."""
    env_from: Annotated[dict[EnvName, EnvSource], Field(max_length=64)] = {}
    """Variables for `$(NAME)` in headers, from Secrets and ConfigMaps in the trigger's namespace."""
    items: Expression = ""
    """CEL over the result of a poll that returns a list of at most 200 items. Each can start a run; expressions use it
    as `item`."""
    key: Expression = ""
    """CEL over the result of a poll (and `item`) that identifies it. A key creates at most one run. Required for http
    and sql."""
    cursor: Expression = ""
    """CEL over the result of a poll that returns a string, number or boolean. The next poll can use it as `cursor` (at
    first an empty string), for instance to request only newer items. It is stored in the trigger's status after the
    runs have been created."""
