"""Sensors that make runs: polls that go on for ever, with a memory of what they have seen."""

from typing import Annotated

from pydantic import ConfigDict, Field

from tradewind.model.base import EnvName, Expression
from tradewind.model.sensor import WATCHED, BucketPoll, Sensor, one_of_kinds
from tradewind.model.task import EnvSource


class BucketWatch(BucketPoll):
    """Objects that come into a bucket of an S3-compatible server. Each is an occasion, again when it is written again. Expressions know
    `object.key`, `object.size`, `object.etag` and `object.lastModified`."""

    ordered: bool = False
    """Whether new objects always have keys that sort after those that are there, as dates do: only what comes after the last one is listed
    then. Otherwise each poll lists what has the prefix, which must be 10,000 objects at most."""
    existing: bool = False
    """Whether objects from before the trigger was made, or resumed, get runs too."""


class TriggerSensor(Sensor):
    """Fires for what a poll finds, where `when` holds: once for each key."""

    model_config = ConfigDict(json_schema_extra=one_of_kinds(WATCHED))

    bucket: BucketWatch | None = None
    """Watches a bucket."""
    env_from: Annotated[dict[EnvName, EnvSource], Field(max_length=64)] = {}
    """Variables for `$(NAME)` in headers, taken from Secrets and ConfigMaps of the trigger's namespace."""
    items: Expression = ""
    """CEL over what a poll finds: a list of at most 200 things, each of which is an occasion of its own, and is called `item`."""
    key: Expression = ""
    """CEL over what a poll finds (and `item`): what makes an occasion another one. A key makes one run, ever. Required for http and sql."""
    cursor: Expression = ""
    """CEL over what a poll finds: a text, number or true/false, which the next poll knows as `cursor` (at first an empty text), for
    instance to ask for what is newer. It is kept in the trigger's status, once the runs are made."""
