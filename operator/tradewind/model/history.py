"""How long runs are kept after their end."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import Model
from tradewind.model.duration import Duration


class Kept(Model):
    """Runs of one outcome."""

    limit: Annotated[int, Field(ge=0, le=100_000)] = 100
    """How many are kept. With one more, the one that ended first is deleted, with its pods."""
    ttl: Duration | None = None
    """How long each is kept, from its end, e.g. 7d. For as long as the limit allows when absent."""


class History(Model):
    """Runs that have ended cost room in the cluster's store: how many of them stay, and how long."""

    succeeded: Kept = Kept()
    """Runs that succeeded."""
    failed: Kept = Kept()
    """Runs that failed or were cancelled."""
