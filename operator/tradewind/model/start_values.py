"""Values that a run reads once, when it starts: what earlier runs left, and ConfigMaps."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Anything, Expression, Model, ObjectName
from tradewind.model.value import Bounds, ValueType

MOST_KEPT = 16
"""Values that a DAG can keep."""
MOST_CONFIGS = 8
"""ConfigMaps that a DAG can read."""


class KeptValue(Bounds):
    """A value that a successful run leaves to later runs. Expressions read it as `kept.NAME`."""

    type: ValueType = "string"
    """Type of the value."""
    value: Annotated[Expression, Field(min_length=1)]
    """CEL over params, tasks, kept and run, evaluated when a run succeeds, e.g. `tasks.load.outputs.last`."""
    initial: Anything
    """Value for runs before which no run has succeeded."""


class Config(Model):
    """A ConfigMap in the run's namespace. Expressions read its data as `config.NAME.KEY`."""

    config_map: ObjectName
    """Name of the ConfigMap. A run that doesn't find it waits until it exists."""
