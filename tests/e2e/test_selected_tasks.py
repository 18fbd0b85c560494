"""Runs of some tasks only."""

from tradewind.cli.starts.wanted import run_body
from tradewind.kube.resources import RUNS
from worlds.world import World, printed, tradewind

TASKS = {
    "extract": {"compute": {"rows": "2"}},
    "load": {"dependsOn": ["extract"], "compute": {"doubled": "tasks.extract.outputs.rows * 2"}},
    "ask": {"dependsOn": ["load"], "approval": {"message": "ship it?"}},
    "ship": {"dependsOn": ["ask"], "compute": {"done": "true"}},
}


async def test_until_and_only_run_what_they_say_and_bypass_no_approval(operated: World) -> None:
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("selected", TASKS))
        await operated.until(client, name, lambda status: status.get("waiting"))
        until = printed(operated, "run", "selected", "--until", "load").strip()
        assert (await operated.finished(client, until))["outputs"] == {"extract": {"rows": 2}, "load": {"doubled": 4}}
        only = printed(operated, "run", "selected", "--only", "load", "--given", "extract.rows=5").strip()
        assert (await operated.finished(client, only))["outputs"]["load"] == {"doubled": 10}
        status = await operated.finished(client, printed(operated, "run", "selected", "--only", "ship").strip())
        assert (status["phase"], status["message"]) == (
            "Failed",
            "spec.only: approval ask is needed before what this run does; write spec.until instead: it runs what comes before, too",
        )
        words = "there is no task 'lod'; did you mean load?"
        wrong = tradewind(operated, "run", "selected", "--until", "lod")
        assert wrong.returncode != 0 and wrong.stdout == "" and f"--until: {words}" in wrong.stderr
        body = run_body("selected", {}, "wrong")
        body["spec"]["until"] = ["lod"]
        await operated.create(client, RUNS, body)
        assert words in (await operated.finished(client, "wrong"))["message"], "also without the command"
