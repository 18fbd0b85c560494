"""Whole runs in a local cluster whose API server misbehaves: every task runs exactly once, by its own side effects."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.kube.resources import DAGS, RUNS
from tradewind.local.apiserver import Fault
from tradewind.local.session import session
from worlds.world import World

TASKS = {f"t{at}": [f"t{at - 1}"] if at % 3 else [] for at in range(9)}
ITEMS = ["i0", "i1", "i2"]
FAULTS = {
    "a create is done but the answer is an error": [Fault("error", verb="create", resource="pods", code=500, after=True, times=4)],
    "a create is done but the connection is cut": [Fault("reset", verb="create", resource="pods", after=True, times=4)],
    "a create is refused for a while": [Fault("error", verb="create", resource="pods", code=503, times=4)],
    "the server is busy": [Fault("error", verb="create|patch", resource="pods|dagruns", code=429, retry_after=0, times=8)],
    "a status is saved but the answer is an error": [Fault("error", verb="patch", resource="dagruns", code=500, after=True, times=3)],
    "a status conflicts": [Fault("error", verb="patch", resource="dagruns", code=409, times=3)],
    "the watch falls behind": [Fault("gone", verb="watch", resource="pods", times=5)],
    "the watch breaks": [Fault("drop", verb="watch", resource="pods", times=5)],
    "events come twice": [Fault("duplicate", verb="watch", resource="pods|dagruns|dags", times=5)],
    "requests are slow": [Fault("delay", verb="create|patch|get", seconds=0.1, probability=0.3, times=None)],
    "everything at once": [
        Fault("error", verb="create|patch|get|list", resource="pods|dagruns|dags|controllerrevisions", code=500, probability=0.15, times=30),
        Fault("error", verb="create|patch", resource="pods|dagruns", code=500, after=True, probability=0.15, times=30),
        Fault("drop", verb="watch", resource="pods", probability=0.5, times=10),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", list(FAULTS))
async def test_every_task_runs_exactly_once_when(name: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    expected = dict.fromkeys(TASKS, 1)
    tasks: dict[str, Any] = {
        task: {"dependsOn": depends, "script": {"shell": f"echo {task} >> {marks}"}} for task, depends in TASKS.items()
    }
    for item in ITEMS:
        expected[item] = 1
    tasks["fan"] = {
        "dependsOn": ["t2"],
        "forEach": {"items": ITEMS},
        "env": {"MARK": "$[[ item ]]"},
        "script": {"shell": f'echo "$MARK" >> {marks}'},
    }
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        world = World("embedded", tmp_path, "default", str(tmp_path))
        await here.client.create(DAGS, "default", world.dag("d", tasks))
        for fault in FAULTS[name]:
            here.server.faults.add(Fault(**{key: value for key, value in vars(fault).items() if key != "hits"}))
        # The test's own requests are not under test: the run is created before, or retried until it exists.
        while True:
            try:
                await here.client.create(RUNS, "default", run_body("d", {}, "r"))
                break
            except Exception:
                continue
        status = await world.finished(here.client, "r")
        assert status["phase"] == "Succeeded", status
        assert Counter(marks.read_text().split()) == expected
        assert len(status["attempts"].splitlines()) == len(expected) and not status.get("failures")
