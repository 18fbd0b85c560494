"""What made a run, written on it where its maker has not."""

from tradewind.control.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pod import HOW
from tradewind.kube.resources import RUNS

MANUAL = "manual"


async def marked(client: Client, run: Run) -> Run | None:
    """The run with its label, if it had none: whoever created it did so by hand. Raises NotFound."""
    if run.how:
        return None
    return read_run(await client.patch(RUNS, run.namespace, run.name, {"metadata": {"labels": {HOW: MANUAL}}}))
