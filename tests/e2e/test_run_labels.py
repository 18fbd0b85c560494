"""Labels of runs: from the DAG, from params, and from the command."""

import asyncio

from tradewind import API_VERSION
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS
from worlds.world import Body, World, printed, tradewind

TASKS = {"a": {"compute": {"n": "1"}}}
LABELS = {"team": "sales", "region": "$[[ params.region ]]"}
PARAMS = {"region": {"default": "north"}}


async def test_runs_are_found_by_the_labels_of_their_dag(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("labelled", TASKS, params=PARAMS, runLabels=LABELS))
        arguments = ("run", "labelled", "--name", "by-hand", "--label", "ticket=t-1", "-p", "region=south")
        await asyncio.to_thread(printed, operated, *arguments)
        ticks: Body = {"dag": "labelled", "ticks": ["2026-05-01"], "params": {"region": "west"}}
        metadata = {"name": "past"}
        body = {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": metadata, "spec": ticks}
        await operated.create(client, BACKFILLS, body)
        await operated.finished(client, "past-20260501-0000")
        status = await operated.finished(client, "by-hand")
        assert status["phase"] == "Succeeded", status
        for selector, names in (
            ("region=south,team=sales,ticket=t-1", ["by-hand"]),
            ("region=west", ["past-20260501-0000"]),
        ):
            found = await client.list(RUNS, operated.namespace, labelSelector=selector)
            assert [run["metadata"]["name"] for run in found["items"]] == names
            shown = await asyncio.to_thread(printed, operated, "get", "runs", "-l", selector, "-o", "name")
            assert shown.strip() == f"dagrun.tradewind.dev/{names[0]}"


async def test_a_run_whose_param_can_be_no_label_fails_before_it_starts(operated: World) -> None:
    async with operated.client() as client:
        status = await operated.result(
            client, operated.dag("unfit", TASKS, params=PARAMS, runLabels=LABELS), region="north & south"
        )
        assert status["phase"] == "Failed" and "attempts" not in status
        assert status["message"].startswith("spec.runLabels.region: 'north & south' is not the value of a label")
        refused = await asyncio.to_thread(tradewind, operated, "run", "unfit", "--label", "pool.tradewind.dev/x=1")
        assert refused.returncode == 2 and "are reserved for Tradewind" in refused.stderr
