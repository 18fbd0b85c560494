"""`tradewind logs`: what tasks have printed."""

import asyncio

import click

from tradewind.cli.options import cluster
from tradewind.cli.reading import status as status_of
from tradewind.cli.terminal import say, say_log
from tradewind.control.observe import unit_of
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Invalid, NotFound
from tradewind.kube.pod import ITEM, RUN_UID, TASK, Pod, parse_list
from tradewind.kube.resources import PODS, RUNS
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.attempt import parse_key


@click.command()
@click.argument("run")
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--tail", type=int, help="Only the last lines of each pod.")
@cluster
async def command(client: Client, namespace: str, run: str, task: str | None, follow: bool, tail: int | None) -> None:
    """Print the logs of a RUN's tasks, or of one TASK or item (`TASK[3]`); every attempt whose pod is still there."""
    query = {"tailLines": str(tail)} if tail is not None else {}
    printing: dict[str, asyncio.Task[None]] = {}
    prefix = task is None
    while True:
        found = await client.get(RUNS, namespace, run)
        over = str(status_of(found).get("phase") or "") in FINAL_PHASES
        for pod in await _pods(client, namespace, found["metadata"]["uid"], task):
            started = pod.status.phase != "Pending"
            if started and pod.metadata.name not in printing:
                printing[pod.metadata.name] = asyncio.create_task(_print(client, pod, prefix, follow, query))
                if not follow:
                    await printing[pod.metadata.name]
        if not follow or over:
            break
        await asyncio.sleep(0.5)
    await asyncio.gather(*printing.values())
    if not printing:
        what = f"task {task} of run {run}" if task else f"run {run}"
        raise click.ClickException(
            f"{what} has no pods with logs: not started yet, or removed by the DAG's podRetention"
        )


async def _pods(client: Client, namespace: str, uid: str, task: str | None) -> list[Pod]:
    name, index = parse_key(task) if task else ("", None)
    selector = (
        f"{RUN_UID}={uid}" + (f",{TASK}={name}" if name else "") + (f",{ITEM}={index}" if index is not None else "")
    )
    pods = parse_list(await client.list_raw(PODS, namespace, labelSelector=selector)).items
    return sorted(
        pods,
        key=lambda pod: (pod.metadata.creation_timestamp is None, pod.metadata.creation_timestamp, pod.metadata.name),
    )


async def _print(client: Client, pod: Pod, prefix: bool, follow: bool, query: dict[str, str]) -> None:
    label = f"{unit_of(pod)[0]} | " if prefix else ""
    options = {**query, "follow": "true"} if follow else query
    try:
        async for line in client.logs(pod.metadata.namespace, pod.metadata.name, **options):
            if line or not prefix:
                say_log(f"{label}{line.decode(errors='replace')}")
    except (NotFound, Invalid):
        return
    except ApiError as error:
        say(f"{label}{error.message}", err=True)
