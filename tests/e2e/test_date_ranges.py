"""Commands that change the runs of a DAG in a range of dates."""

from tradewind import API_VERSION
from tradewind.kube.resources import DAGS, RUNS
from worlds.world import World, printed, tradewind


async def test_runs_of_a_range_are_cleared_and_retried_and_the_others_are_not(operated: World) -> None:
    tasks = {"a": {"compute": {"n": "1"}}, "b": {"dependsOn": ["a"], "command": ["sh", "-c", "exit $CODE"]}}
    tasks["b"]["env"] = {"CODE": "$[[ params.code ]]"}
    dag = operated.dag("ranged", tasks, params={"code": {"type": "integer", "default": 0}})
    async with operated.client() as client:
        await operated.create(client, DAGS, dag)
        for day, code in ((1, 0), (2, 1), (3, 0)):
            spec = {"dag": "ranged", "logicalDate": f"2026-05-0{day}T00:00:00Z", "params": {"code": code}}
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": f"day-{day}"}, "spec": spec}
            await operated.create(client, RUNS, body)
        for day in (1, 2, 3):
            await operated.finished(client, f"day-{day}")
        asked = ("dag/ranged", "--since", "2026-05-01", "--until", "2026-05-03", "--dry-run")
        shown = tradewind(operated, "retry", *asked)
        assert shown.returncode == 0 and "b: Failed, tries again" in shown.stdout
        assert "dagrun/day-1: not changed: nothing to retry: dagrun/day-1 is Succeeded" in shown.stderr
        shown_text = printed(operated, "clear", "dag/ranged", "a", "--since", "2026-05-02")
        assert "dagrun/day-2 is changed" in shown_text and "dagrun/day-3 is changed" in shown_text
        assert "day-1" not in shown_text
        none = tradewind(operated, "clear", "dag/ranged", "a", "--since", "2027-01-01")
        assert none.returncode == 1 and "dag/ranged has no runs in this range" in none.stderr
        alone = tradewind(operated, "clear", "dag/ranged", "a")
        assert alone.returncode == 2 and "say which of its runs, with --since TIME" in alone.stderr


async def test_tasks_are_cleared_with_what_they_need_and_by_pattern_and_marked_in_all_runs_of_a_range(
    operated: World,
) -> None:
    tasks = {
        "first": {"compute": {"n": "1"}},
        "load-a": {"dependsOn": ["first"], "compute": {"n": "1"}},
        "load-b": {"dependsOn": ["first"], "compute": {"n": "1"}},
        "report": {"dependsOn": ["load-a"], "compute": {"n": "1"}},
    }
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("chosen", tasks))
        for day in (1, 2):
            spec = {"dag": "chosen", "logicalDate": f"2026-05-0{day}T00:00:00Z"}
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": f"chosen-{day}"}, "spec": spec}
            await operated.create(client, RUNS, body)
            await operated.finished(client, f"chosen-{day}")
        shown = printed(operated, "clear", "chosen-1", "report", "--upstream", "--only")
        assert [f"{task}: Succeeded, runs again" in shown for task in tasks] == [True, True, False, True]
        edited = await operated.until(client, "chosen-1", lambda status: status.get("edited") == 1)
        assert edited["spec"]["edits"][0]["tasks"] == ["report", "first", "load-a"]
        await operated.finished(client, "chosen-1")
        for command in (("clear", "dag/chosen", "load-*"), ("mark", "dag/chosen", "failed", "load-*")):
            printed(operated, *command, "--since", "2026-05-01")
        for day, edits in ((1, 3), (2, 2)):
            run = await operated.until(
                client, f"chosen-{day}", lambda status, edits=edits: status.get("edited") == edits
            )
            assert [edit["tasks"] for edit in run["spec"]["edits"][-2:]] == [["load-a", "load-b"]] * 2
            assert (await operated.finished(client, f"chosen-{day}"))["phase"] == "Failed"
        none = tradewind(operated, "mark", "chosen-1", "skipped", "laod-*")
        assert none.returncode == 1 and "no task matches 'laod-*'; there are: first" in none.stderr
