"""Cancelling runs for the sake of others."""

import contextlib

from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import RUNS


async def cancel(client: Client, run: Run, desired: str = "Cancelled") -> None:
    """Asks for a run's end, if it is there. `desired` is Cancelled or Terminated."""
    with contextlib.suppress(NotFound):
        await client.patch(RUNS, run.namespace, run.name, {"spec": {"desiredState": desired}})
