"""The commands that talk to a cluster, in both worlds."""

import json
import os
import subprocess
import sys

import yaml
from tradewind.kube.resources import DAGS
from worlds.world import World


def tradewind(world: World, *arguments: str, stdin: str = "") -> str:
    command = [
        sys.executable,
        "-m",
        "tradewind.cli",
        *arguments,
        "-n",
        world.namespace,
        "--kubeconfig",
        str(world.kubeconfig),
    ]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=90, env={**os.environ, "COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_user_applies_runs_looks_and_reads(operated: World) -> None:
    dag = operated.dag(
        "told",
        {
            "a": {"script": {"shell": "echo one; echo two"}},
            "b": {"dependsOn": ["a"], "env": {"WHO": "$[[ params.who ]]"}, "script": {"shell": "echo $WHO; exit 0"}},
        },
        params={"who": {"default": "nobody"}},
    )
    assert "dag/told applied" in tradewind(operated, "apply", "-f", "-", stdin=yaml.safe_dump(dag))
    name = tradewind(operated, "run", "told", "--param", "who=Ada").strip()
    async with operated.client() as client:
        await operated.finished(client, name)
    assert name in tradewind(operated, "get", "runs") and "2/2" in tradewind(operated, "get", "runs", "--dag", "told")
    assert "told" in tradewind(operated, "get", "dags")
    described = tradewind(operated, "describe", "run", name)
    assert "Succeeded" in described and "who=Ada" in described and "ENDED AS" in described
    assert json.loads(tradewind(operated, "describe", "run", name, "-o", "json"))["tasks"]["b"]["state"] == "Succeeded"
    assert tradewind(operated, "logs", name, "a") == "one\ntwo\n"
    assert "b | Ada" in tradewind(operated, "logs", name)
    assert "had ended already: Succeeded" in tradewind(operated, "cancel", name)


async def test_a_run_is_watched_to_its_end(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("watched", {"a": {"script": {"shell": "sleep 1"}}}))
    shown = tradewind(operated, "run", "watched", "--watch")
    assert "a: Succeeded" in shown and "Succeeded: 1 of 1 tasks succeeded" in shown
