"""What made a run and of which DAG it is, written on it as labels where its maker has not."""

import re

from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client
from tradewind.kube.labels import DAG, HOW
from tradewind.kube.resources import RUNS
from tradewind.model.base import DNS_LABEL

MANUAL = "manual"
NAME = re.compile(DNS_LABEL)


async def marked(client: Client, run: Run) -> Run | None:
    """The run with its labels, if one was missing: whoever created it did so by hand. Raises NotFound."""
    labels = {} if run.how else {HOW: MANUAL}
    if not run.labelled and NAME.fullmatch(run.dag):  # What no DAG can be called, no label can say.
        labels[DAG] = run.dag
    if not labels:
        return None
    return read_run(await client.patch(RUNS, run.namespace, run.name, {"metadata": {"labels": labels}}))
