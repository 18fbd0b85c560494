"""`tradewind get` for programs: what kubectl can read."""

import json
from pathlib import Path

import yaml

from cli.scene import scene


async def test_several_objects_are_a_list_as_kubectl_prints_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        for name in ("d-1", "d-2"):
            await here.queued(name, "d")
        for arguments in (("get", "runs"), ("get", "runs", "d-2", "d-1")):
            printed = json.loads(await here.tradewind(*arguments, "-o", "json"))
            assert yaml.safe_load(await here.tradewind(*arguments, "-o", "yaml")) == printed
            assert (printed["apiVersion"], printed["kind"]) == ("v1", "List")
            assert {item["metadata"]["name"] for item in printed["items"]} == {"d-1", "d-2"}
            assert {(item["apiVersion"], item["kind"]) for item in printed["items"]} == {
                ("tradewind.dev/v1alpha1", "DAGRun")
            }
        assert json.loads(await here.tradewind("get", "pools", "-o", "json"))["items"] == []
        assert json.loads(await here.tradewind("get", "run", "d-1", "-o", "json"))["kind"] == "DAGRun"
