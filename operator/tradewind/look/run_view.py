"""A run now, with its planner."""

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.state import picture as pictured
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.reading import reading


async def look(client: Client, namespace: str, name: str, revisions: Revisions) -> tuple[Run, RunState | None]:
    """The run now, and the planner's state of it once it has begun. Raises StatusUnreadable."""
    run = read_run(await client.get(RUNS, namespace, name))
    revision = run.status.get("revision")
    if not revision:
        return run, None
    with reading(f"dagrun/{name}"):
        definition = await revisions.load(namespace, revision)
    raw = await client.list_raw(PODS, namespace, labelSelector=f"{RUN_UID}={run.uid}")
    with reading(f"dagrun/{name}"):
        return run, pictured(run, definition, {pod.metadata.name: pod for pod in parse_list(raw).items})
