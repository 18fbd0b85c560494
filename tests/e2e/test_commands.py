"""The commands that talk to a cluster, in both worlds."""

import json

import yaml
from tradewind.kube.resources import DAGS
from worlds.world import World, printed


async def test_a_user_applies_runs_looks_and_reads(operated: World) -> None:
    dag = operated.dag(
        "told",
        {
            "a": {"script": {"shell": "echo one; echo two"}},
            "b": {"dependsOn": ["a"], "env": {"WHO": "$[[ params.who ]]"}, "script": {"shell": "echo $WHO; exit 0"}},
        },
        params={"who": {"default": "nobody"}},
    )
    assert "dag/told applied" in printed(operated, "apply", "-f", "-", stdin=yaml.safe_dump(dag))
    name = printed(operated, "run", "told", "--param", "who=Ada").strip()
    async with operated.client() as client:
        await operated.finished(client, name)
    assert name in printed(operated, "get", "runs") and "2/2" in printed(operated, "get", "runs", "--dag", "told")
    assert "told" in printed(operated, "get", "dags")
    described = printed(operated, "describe", "run", name)
    assert "Succeeded" in described and "who=Ada" in described and "ENDED AS" in described
    assert json.loads(printed(operated, "describe", "run", name, "-o", "json"))["tasks"]["b"]["state"] == "Succeeded"
    assert printed(operated, "logs", name, "a") == "one\ntwo\n"
    assert "b | Ada" in printed(operated, "logs", name)
    assert "had ended already: Succeeded" in printed(operated, "cancel", name)


async def test_a_run_is_watched_to_its_end(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("watched", {"a": {"script": {"shell": "sleep 1"}}}))
    shown = printed(operated, "run", "watched", "--watch")
    assert "a: Succeeded" in shown and "Succeeded: 1 of 1 task succeeded" in shown
