"""An update of an asset that can't be computed is reported: the run has a condition, an Event and a failure that say
so."""

import asyncio
from pathlib import Path
from typing import Any

import yaml
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.resources import DAGS, EVENTS, RUNS
from tradewind.local.session import session

MANIFEST = """
apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata: {name: untold}
spec:
  tasks:
    make: {compute: {rows: "[1]"}, produces: [{name: orders, partition: "$[[ outputs.rows[2] ]]"}]}
    after: {dependsOn: [make], compute: {n: "1"}, produces: [{name: rates, partition: "$[[ [1][outputs.n] ]]"}]}
"""
WORDS = "make: produces[0]: `outputs.rows[2]`"


async def test_a_run_says_which_update_is_missing(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        body = yaml.safe_load(MANIFEST)
        await here.client.create(DAGS, "default", body)
        await here.client.create(RUNS, "default", run_body("untold", {}, "one"))
        while not (found := (await here.client.get(RUNS, "default", "one")).get("status", {})).get("finishedAt"):
            await asyncio.sleep(0.05)
        assert found["phase"] == "Succeeded" and not found.get("produced")
        (said,) = [item for item in found["conditions"] if item["type"] == "AssetsProduced"]
        assert (said["status"], said["reason"]) == ("False", "AssetError")
        assert said["message"].startswith(WORDS) and "no trigger hears of this update" in said["message"]

        async def events() -> list[Any]:
            items = (await here.client.list(EVENTS, "default"))["items"]
            return [item for item in items if item["reason"] == "AssetError"]

        while len(told := await events()) < 2:
            await asyncio.sleep(0.05)
        assert {item["type"] for item in told} == {"Warning"} and any(WORDS in item["message"] for item in told)
