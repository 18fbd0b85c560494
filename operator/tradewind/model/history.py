"""How many finished runs are kept, and for how long."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Model
from tradewind.model.duration import Duration


class Kept(Model):
    """How many runs of one outcome to keep."""

    limit: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Maximum number of runs. When it is exceeded, the run that ended first is deleted with its pods."""
    ttl: Duration | None = None
    """Time to keep each run after its end, e.g. 7d. When absent, only the limit applies."""


class History(Model):
    """How many finished runs to keep, and for how long."""

    succeeded: Kept = Kept()
    """Runs that succeeded."""
    failed: Kept = Kept()
    """Runs that failed or were cancelled."""
