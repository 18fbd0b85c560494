"""What made a run and of which DAG it is, written on it as labels where its maker has not."""

from tradewind.control.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.pod import DAG, HOW
from tradewind.kube.resources import RUNS

MANUAL = "manual"


async def marked(client: Client, run: Run) -> Run | None:
    """The run with its labels, if one was missing: whoever created it did so by hand. Raises NotFound."""
    if run.how and run.labelled:
        return None
    labels = {HOW: run.how or MANUAL, DAG: run.dag}
    return read_run(await client.patch(RUNS, run.namespace, run.name, {"metadata": {"labels": labels}}))
