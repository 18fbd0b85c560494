"""The command line answers what people try, equally in a terminal and in a pipe."""

import asyncio
import contextlib
import json
import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import yaml
from cli.scene import Scene, scene
from tradewind.cli.dev import kubeconfig
from tradewind.cli.main import main
from tradewind.cli.objects.targets import target, targets
from tradewind.cli.shell.commands import COMMANDS, SECTIONS
from tradewind.cli.shell.examples import EXAMPLES
from tradewind.cli.shell.group import ELSEWHERE
from tradewind.kube.resources import BACKFILLS, DAGS, RUNS, TRIGGERS
from tradewind.local.session import session
from worlds.commands import program

DAG = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\nspec: {tasks: {a: {compute: {x: '1'}}}}\n"


def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*program(), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["get"], "Write one of dags, runs, triggers"),
        (["get", "dagz"], "there is no kind 'dagz'; did you mean dags?"),
        (["runn"], "there is no command 'runn'; did you mean run?"),
        (["run", "dag.yaml"], "dag.yaml is a file: write -f dag.yaml"),
        (["describe", "dag", "dag.yaml"], "dag.yaml is a file: a DAG is wanted here"),
        (["dags", "list"], "there is no command 'dags list'; did you mean get dags?"),
        (["tasks", "test", "d"], "there is no command 'tasks test'; did you mean run -f FILE --only TASK?"),
        (["init"], "there is no command 'init'; did you mean new?"),
        (["run", "d", "--name", "Rel_1"], "'Rel_1' is not the name of a DAGRun: use lower-case letters, digits,"),
        (["run", "-f", "d.yaml", "--name", "x" * 80], "80 characters; the name of a DAGRun has at most 63"),
        (["backfill", "d", "--name", "x" * 47], "47 characters; the name of a Backfill has at most 46"),
        (["-n", "x", "lint", "."], "lint has no --namespace"),
        (["-n", "x", "run", "-f", "none.yaml"], "--namespace: a run of -f is on this machine"),
    ],
)
def test_what_does_not_fit_a_command_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = cli(tmp_path, *arguments)
    assert done.returncode and words in done.stderr


def test_objects_are_named_as_kubectl_has_it_or_with_a_slash() -> None:
    assert target("x") == (RUNS, "x") and target("dag/x") == (DAGS, "x") == target("dags/x")
    assert targets(["dag", "a", "b"]) == [(DAGS, "a"), (DAGS, "b")]
    with pytest.raises(click.UsageError, match="did you mean dag/x"):
        target("dagg/x")


async def test_a_name_that_is_none_is_answered_with_what_may_be_meant(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.client.create(DAGS, "default", yaml.safe_load(DAG.replace("name: d", "name: etl")))

        async def told(*arguments: str) -> str:
            process = await there.start(*arguments)
            words = (await process.communicate())[1].decode()
            assert process.returncode in (1, 2), arguments
            return words

        assert "etl is a DAG without runs: `tradewind run etl` starts one" in await told("watch", "etl")
        await there.run("etl-1", {"one": {}})
        for verb in (["describe"], ["watch"], ["logs"], ["delete"], ["wait"], ["retry"], ["cancel"], ["approve"]):
            words = (
                "there is no run etl in namespace default; etl is a DAG; its last runs: etl-1. See `tradewind describe"
            )
            assert words in await told(*verb, "etl"), verb
        assert "there is no run etl-11 in namespace default; did you mean etl-1?" in await told("describe", "etl-11")
        assert "etl-1 is a run of DAG etl: see `tradewind describe etl-1`" in await told("describe", "dag", "etl-1")
        for arguments in (["run", "elt"], ["describe", "dag/elt"], ["backfill", "elt", "--tick", "2026-01-01"]):
            assert "there is no DAG elt in namespace default; there is etl" in await told(*arguments)
        assert "dag/etl is a DAG, and a run is wanted here" in await told("watch", "dag/etl")
        words = "there is no kind 'pod' here: write RUN, or `run`, `dag`, `trigger` or `backfill` and a NAME; for kinds of Kubernetes there is `kubectl"
        assert words in await told("describe", "pod", "x")
        assert "there is no Backfill x in namespace default" in await told("describe", "backfill", "x")
        assert "not a Pool: see `tradewind get pool x -o yaml`" in await told("describe", "pool", "x")
        assert "there is no Trigger x in namespace default" in await told("describe", "trigger", "x")
        assert "there is no Trigger x in namespace default; there is none yet" in await told("get", "trigger", "x")


async def test_names_are_taken_with_their_kinds_in_every_form(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.client.create(DAGS, "default", yaml.safe_load(DAG))
        await there.run("d-1", {"one": {}})
        for name in ("dag/d", "dags/d", "DAG/d", "dag.tradewind.dev/d", "dags.v1alpha1.tradewind.dev/d"):
            assert "DAG:         d" in await there.tradewind("describe", name)
        for arguments in (["run", "dag/d", "--name", "d-2"], ["get", "dag/d"], ["get", "runs", "--dag", "dag/d"]):
            assert "d" in (await there.tradewind(*arguments)).split("\n")[-2]
        for name in ("d-1", "run/d-1", "dr/d-1", "dagruns/d-1", "dagrun.tradewind.dev/d-1"):
            assert (await there.tradewind("describe", name)).startswith("d-1")
            assert await there.tradewind("suspend", name) == "dagrun/d-1 is suspended\n"
        assert len((await there.tradewind("get", "dr", "d-1", "d-2")).splitlines()) == 3
        assert await there.tradewind("cancel", "dr/d-1", "-m", "no data") == "dagrun/d-1 is being cancelled\n"
        assert ": no data" in await there.tradewind("describe", "d-1")


async def test_who_started_a_run_stays_and_a_run_that_has_ended_is_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        who = {"tradewind.dev/by": "ann", "tradewind.dev/reason": "for the board"}
        for name in ("d-1", "d-2"):
            await there.run(name, {"one": {}})
            await there.client.patch(RUNS, "default", name, {"metadata": {"annotations": who}})
        await there.tradewind("cancel", "d-1", "--terminate", "-m", "no data")
        failed = {"phase": "Failed", "attempts": "one 0+1 =1 Failed", "finishedAt": "2026-01-31T06:00:00Z"}
        await there.client.patch(RUNS, "default", "d-2", {"status": failed}, "status")
        told = "dagrun/d-2 had ended already: Failed; nothing is changed\n"
        assert await there.tradewind("cancel", "d-2", "--terminate") == told
        await there.tradewind("retry", "d-2", "-m", "once more")
        for name, words in (("d-1", "Cancelled by:"), ("d-2", "Retried by:")):
            rows = (await there.tradewind("describe", name)).splitlines()
            said = next(row for row in rows if row.startswith(words))
            assert said.endswith((": no data", ": once more"))
            by = next(row for row in rows if row.startswith("By:"))
            assert by.split() == ["By:", "ann"] and "for the board" in "".join(rows)
            column = said.index(said.removeprefix(words).strip())
            assert column == by.index("ann") == next(row for row in rows if row.startswith("DAG:")).index("d")


async def test_a_folder_is_applied_with_its_runs_last(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    (folder / "more").mkdir(parents=True)
    head = "apiVersion: tradewind.dev/v1alpha1\nkind: DAGRun\n"
    (folder / "a-run.yaml").write_text(head + "metadata: {name: d-1}\nspec: {dag: d}\n")
    (folder / "deployment.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
    (folder / "more" / "dag.yaml").write_text(DAG)
    async with scene(tmp_path) as there:
        assert await there.tradewind("apply", "-f", str(folder)) == "dag/d applied\ndagrun/d-1 applied\n"


async def test_the_preview_of_a_backfill_names_runs_only_where_their_names_are_known(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.client.create(DAGS, "default", yaml.safe_load(DAG))
        arguments = ("backfill", "d", "--tick", "2026-05-01", "--dry-run")
        preview = await there.tradewind(*arguments)
        assert "Create" in preview and "20260501" not in preview
        assert "may-20260501-0000" in await there.tradewind(*arguments, "--name", "may")


def trigger(name: str, phase: str, cron: str, message: str = "") -> dict[str, object]:
    body = {"kind": "Trigger", "apiVersion": "tradewind.dev/v1alpha1", "metadata": {"name": name}}
    return {**body, "spec": {"dag": "d", "schedule": {"cron": cron}}, "status": {"phase": phase, "message": message}}


async def made(there: Scene, body: dict[str, object]) -> None:
    name = str(body["metadata"]["name"])  # type: ignore[index]
    await there.client.create(TRIGGERS, "default", body)
    await there.client.patch(TRIGGERS, "default", name, {"status": body["status"]}, "status")


async def test_a_backfill_needs_no_choice_between_a_trigger_and_invalid_ones(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.client.create(DAGS, "default", yaml.safe_load(DAG))
        await made(there, trigger("broken", "Invalid", "0 5 * * *", "spec.params.x: no such param"))
        arguments = ("backfill", "d", "--start", "2026-05-01", "--end", "2026-05-02", "--dry-run")
        process = await there.start(*arguments)
        said = (await process.communicate())[1].decode()
        assert "trigger broken of DAG d is invalid: spec.params.x: no such param; fix it, or give --cron" in said
        await made(there, trigger("daily", "Active", "0 5 * * *"))
        assert "daily-20260501-0500" in await there.tradewind(*arguments)
        await made(there, trigger("nightly", "Active", "0 3 * * *"))
        said = (await (await there.start(*arguments)).communicate())[1].decode()
        assert "DAG d has the triggers daily, nightly: choose with --trigger, or --cron" in said


async def test_a_trigger_is_described_with_when_it_fires_next_or_why_it_does_not(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        daily = trigger("daily", "Active", "0 5 * * *")
        daily["status"] = {
            "phase": "Active",
            "next": "2026-05-02T05:00:00Z",
            "lastRun": {"name": "daily-1", "at": "2026-05-01T05:00:00Z"},
            "schedule": {"nextTicks": ["2026-05-02T05:00:00Z", "2026-05-03T05:00:00Z"], "skipped": "one: too late"},
        }
        await made(there, daily)
        said = await there.tradewind("describe", "trigger", "daily")
        assert "Next:        2026-05-02T05:00:00Z, 2026-05-03T05:00:00Z" in said and "cron: 0 5 * * *" in said
        assert "Last run:    daily-1, " in said and "Skipped:     one: too late" in said
        await made(there, trigger("off", "Suspended", "0 5 * * *", "its DAG d is suspended"))
        said = await there.tradewind("describe", "trigger/off")
        assert "Phase:       Suspended: its DAG d is suspended" in said and "Next:        none while" in said


async def test_the_log_of_a_task_that_was_stopped_is_said_to_be_gone_with_its_pod(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        tasks = {"slow": {}, "wait": {"command": [], "wait": {"duration": "1h"}}, "later": {"dependsOn": ["slow"]}}
        await there.run("d-1", tasks, {"attempts": "slow 0+4 Cancelled\nwait 0+4 Cancelled\n"})

        async def said(*arguments: str) -> str:
            return (await (await there.start("logs", "d-1", *arguments)).communicate())[1].decode()

        gone = "has no logs: slow (Cancelled) was stopped, and the pod of what is stopped is deleted with its log"
        assert f"task slow of run d-1 {gone}" in await said("slow")
        assert f"run d-1 {gone}" in await said()
        for task in ("wait", "later"):
            assert "nothing has started yet, its tasks need no pods" in await said(task)


async def test_where_a_run_stands_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        waits = [{"task": "one", "reason": "Pool", "message": "no slot"}]
        await there.run("d-1", {"one": {}}, {"waiting": waits, "progress": "0/1"})
        await there.tradewind("suspend", "d-1")
        process = await there.start("wait", "d-1", "--timeout", "1s")
        told = (await process.communicate())[1].decode()
        words = "dagrun/d-1 has not ended within 1s: it is Running 0/1, suspended, waits for one; see `tradewind describe d-1`"
        assert process.returncode == 124 and words in told
        assert "suspended: nothing more starts until `tradewind resume d-1`" in await there.tradewind("describe", "d-1")
        assert "one: " in await there.tradewind("mark", "d-1", "Failed", "one", "--dry-run")


async def test_outputs_given_by_hand_are_checked_before_the_run_is_changed(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        tasks = {
            "one": {"outputs": {"rows": {"type": "integer"}, "day": {"type": "string"}}},
            "two": {"dependsOn": ["one"]},
        }
        status = {"attempts": "one 0+1\ntwo 1+1 =1 Error", "phase": "Failed"}
        await there.run("d-1", tasks, status)
        process = await there.start("mark", "d-1", "succeeded", "one", "--output", "rows=abc")
        told = (await process.communicate())[1].decode()
        assert process.returncode == 1 and "output 'day' of one is missing" in told
        assert "output 'rows': 'abc' is not an integer; write an integer" in told
        said = await there.tradewind("mark", "d-1", "succeeded", "one", "--output", "rows=3", "--output", "day=2026")
        assert "dagrun/d-1 is changed; no task runs because of it (spec.edits[0])" in said
        assert "still failed: two; `tradewind retry d-1` runs what has failed again" in said
        edits = (await there.client.get(RUNS, "default", "d-1"))["spec"]["edits"]
        assert edits[0]["outputs"] == {"one": {"rows": 3, "day": "2026"}}


async def test_a_dag_is_described_with_its_bounds_and_outputs_in_the_notation_of_manifests(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        body = yaml.safe_load(DAG)
        params = {"on": {"type": "boolean", "default": True}, "who": {"default": "x"}}
        body["spec"] |= {"params": params, "parallelism": 3, "timeout": "1h", "outputs": {"n": "tasks.a.outputs.x"}}
        await there.client.create(DAGS, "default", body)
        said = await there.tradewind("describe", "dag", "d")
        wanted = ["(boolean, default true)", '(string, default "x")', "Timeout:     1h", "Parallelism: 3"]
        assert [words for words in [*wanted, "Output:      n = tasks.a.outputs.x"] if words not in said] == []


async def test_a_dag_is_described_with_what_its_runs_read_keep_and_react_to(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        body = yaml.safe_load(DAG)
        body["spec"] |= {
            "params": {"note": {"optional": True}},
            "keep": {"cursor": {"initial": "x", "value": "run.name"}},
            "config": {"shop": {"configMap": "shops"}},
            "waitForPrevious": True,
            "failFast": True,
        }
        more = (
            {"handles": {"of": ["*"], "ends": ["Failed", "Retry"]}},
            {"teardown": {"of": ["a"]}},
            {"onExit": ["Failed"]},
        )
        for name, role in zip(("tell", "undo", "bye"), more, strict=True):
            body["spec"]["tasks"][name] = {**role, "compute": {"x": "1"}}
        await there.client.create(DAGS, "default", body)
        said = " ".join((await there.tradewind("describe", "dag", "d")).split())
        for words in (
            "Param: note (string, optional)", 'Keeps: cursor = run.name (string, initially "x")',
            "Reads: ConfigMap shops as config.shop", "Waits: until the run before has succeeded", "Fails fast: yes",
            "tell compute Failed, Retry of *", "undo compute teardown of a", "bye compute exit: Failed",
        ):  # fmt: skip
            assert words in said, said


def test_a_type_that_is_not_known_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(DAG.replace("spec: {", "spec: {params: {p: {type: map, default: {a: 1}}}, "))
    done = cli(tmp_path, "lint", "d.yaml")
    assert "'map' is not known" in done.stdout and "1 problem" in done.stdout + done.stderr


def test_help_has_sections_and_no_text_is_cut(tmp_path: Path) -> None:
    said = cli(tmp_path, "--help").stdout
    assert "Control runs:" in said and "..." not in said.partition("Write DAGs")[2]
    assert all(f"  {name}" in said for name in ("run", "watch", "wait", "delete", "version", "completion"))


def test_every_command_has_a_help(tmp_path: Path) -> None:
    for name in COMMANDS:
        assert (command := main.get_command(click.Context(main), name)) and command.help, name


def test_every_command_of_people_has_an_example_that_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    servers = {*SECTIONS["Servers, started by the Helm chart"], "version"}
    for name in [name for name in COMMANDS if name not in servers]:
        command = main.get_command(click.Context(main), name)
        assert command
        text = f"{command.help}\n{command.epilog or ''}"
        examples = [line for line in text.splitlines() if f"tradewind {name} " in line]
        assert examples, name
    for name, lines in EXAMPLES.items():
        for line in lines:
            program, verb, *arguments = shlex.split(line)
            assert (program, verb) == ("tradewind", name)
            command = main.get_command(click.Context(main), name)
            assert command
            with command.make_context(name, arguments):
                pass


def test_fields_are_explained_without_a_cluster(tmp_path: Path) -> None:
    said = cli(tmp_path, "explain", "dag.spec.tasks.retries").stdout
    assert said.startswith("dag.spec.tasks.retries (object)\n") and "\nlimit (integer" in said
    assert "tasks (map of object" in cli(tmp_path, "explain", "DAG.spec").stdout
    for path, words in {
        "dag.spec.taks": "did you mean tasks?",
        "dagg": "did you mean dag?",
        "dag.kind.x": "no fields",
    }.items():
        done = cli(tmp_path, "explain", path)
        assert done.returncode == 2 and words in done.stderr


def test_files_and_names_are_completed(tmp_path: Path) -> None:
    assert "_TRADEWIND_COMPLETE" in cli(tmp_path, "completion", "bash").stdout
    run_command = main.get_command(click.Context(main), "run")
    assert run_command
    by_name = {option.name: option for option in run_command.params}
    assert isinstance(by_name["files"].type, click.Path)
    completed = by_name["dag"].shell_complete(click.Context(run_command), "")
    assert completed == []  # without a cluster nothing is offered, and nothing fails


async def test_tables_are_whole_in_a_pipe_and_have_all_forms(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        name = "a-run-of-a-dag-with-a-name-that-is-quite-long-indeed-x7k2p"
        await there.run(name, {"one": {}}, {"message": "why " * 60})
        env = ("get", "runs")
        for arguments in (env, ("-A", *env), (*env, "-A"), ("-n", "default", *env), (*env, "-o", "wide")):
            lines = (await there.tradewind(*arguments)).splitlines()
            assert name in lines[1].split() and "…" not in lines[1], arguments
        assert (await there.tradewind(*env, "-o", "wide")).count("why") == 60
        assert await there.tradewind(*env, "-o", "name") == f"dagrun.tradewind.dev/{name}\n"
        assert yaml.safe_load(await there.tradewind("get", "run", name, "-o", "yaml"))["metadata"]["name"] == name
        assert json.loads(await there.tradewind("describe", name, "-o", "json"))["run"] == name
        assert len((await there.tradewind(*env, "--no-headers")).splitlines()) == 1
        assert await there.tradewind("delete", name) == f"dagrun/{name} deleted; it had not ended\n"


async def test_dev_is_well_and_suspending_a_dag_makes_no_revision(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        config = tmp_path / "kubeconfig"
        config.write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token)))
        there = Scene(here.client, config)  # type: ignore[arg-type]
        said = await there.tradewind("doctor")
        assert "operator outside of a Deployment" in said and "`tradewind dev` has none" in said and "0 unknown" in said
        await here.client.create(DAGS, "default", yaml.safe_load(DAG))
        revisions = []
        for verb in ("resume", "suspend", "resume"):
            await there.tradewind(verb, "dag/d")
            generation = (await here.client.get(DAGS, "default", "d"))["metadata"]["generation"]
            while (found := await here.client.get(DAGS, "default", "d")).get("status", {}).get(
                "observedGeneration"
            ) != generation:
                await asyncio.sleep(0.1)
            revisions.append(found["status"]["revision"])
        assert revisions == [1, 1, 1]
        shown = await there.tradewind("describe", "dag/d")
        assert "Revision:    1" in shown and "compute" in shown
        assert (await there.tradewind("run", "d", "--name", "r")) == "r\n"
        assert "dagrun/r Succeeded" in await there.tradewind("wait", "r", "--timeout", "60s")
        assert "run r: Succeeded" in await there.tradewind("watch", "r")


async def test_runs_that_can_not_begin_are_told(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        config = tmp_path / "kubeconfig"
        config.write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token)))
        there = Scene(here.client, config)  # type: ignore[arg-type]
        valid = yaml.safe_load(DAG)
        wrong = {**valid, "metadata": {"name": "wrong"}, "spec": {"tasks": {"a": {"compute": {"x": "nope.x"}}}}}
        for body in (wrong, {**valid, "spec": {**valid["spec"], "suspend": True}}):
            await here.client.create(DAGS, "default", body)
        while (await here.client.get(DAGS, "default", "wrong")).get("status", {}).get("phase") != "Invalid":
            await asyncio.sleep(0.1)
        process = await there.start("run", "wrong")
        told = (await process.communicate())[1].decode()
        assert process.returncode == 1 and "dag/wrong is invalid" in told and "nope" in told
        process = await there.start("run", "d")
        told = (await process.communicate())[1].decode()
        assert process.returncode == 0 and "the run waits until `tradewind resume dag/d`" in told
        while not (run := (await here.client.list(RUNS, "default"))["items"][0]).get("status", {}).get("message"):
            await asyncio.sleep(0.1)
        assert run["status"]["message"] == "DAG d is suspended: `tradewind resume dag/d`"


async def test_a_run_that_no_operator_takes_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tradewind.look.unclaimed.PATIENCE", 0.0)
    words = "no operator has taken it up for 0s: is one running? `tradewind doctor` looks"
    async with scene(tmp_path) as there:
        await there.queued("d-1", "d")
        await there.queued("d-2", "d", {"message": "waits for its turn"})

        async def told(*arguments: str) -> str:
            with contextlib.suppress(click.ClickException):
                await asyncio.to_thread(main, [*arguments, "--kubeconfig", str(there.config)], standalone_mode=False)
            return re.sub(r"for \d+s:", "for 0s:", "".join(capsys.readouterr()))

        assert words in await told("describe", "d-1") and "no operator" not in await told("describe", "d-2")
        assert "note: no operator has taken up d-1: is one running?" in await told("get", "runs")
        assert f"dagrun/d-1: {words}" in await told("wait", "d-1", "d-2", "--timeout", "100ms")


async def test_a_namespace_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for arguments in (["get", "runs"], ["describe", "x"], ["run", "d"], ["top"], ["get", "assets"]):
            process = await there.start(*arguments, "-n", "defualt")
            said = (await process.communicate())[1].decode()
            assert process.returncode == 1, (arguments, said)
            assert "there is no namespace defualt; did you mean default?" in said, (arguments, said)


def test_a_first_dag_is_written_once_and_runs_as_it_is(tmp_path: Path) -> None:
    made = cli(tmp_path, "new", "first")
    assert made.stdout == "first.yaml is written; run it here: tradewind run -f first.yaml\n"
    written = (tmp_path / "first.yaml").read_text()
    again = cli(tmp_path, "new", "first.yaml")
    assert again.returncode == 1 and "first.yaml is there already, and stays as it is" in again.stderr
    assert (tmp_path / "first.yaml").read_text() == written
    checked = cli(tmp_path, "lint", "first.yaml")
    assert (checked.returncode, checked.stdout) == (0, "") and "note" not in checked.stderr
    ran = cli(tmp_path, "run", "-f", "first.yaml", "--param", "who=Ada")
    assert ran.returncode == 0 and "greet | hello Ada, your name has 3 letters" in ran.stdout
    refused = cli(tmp_path, "new", "My DAG")
    assert refused.returncode == 2 and "'My DAG' is not the name of a DAG" in refused.stderr


async def test_a_rerun_that_would_run_nothing_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        body = yaml.safe_load(DAG)
        await there.client.create(DAGS, "default", body)
        await there.run("d-1", {"a": {}}, {"phase": "Succeeded", "attempts": "a 0+1"})
        process = await there.start("rerun", "d-1")
        said = (await process.communicate())[1].decode()
        assert process.returncode == 1 and "nothing would run: all tasks succeeded in d-1; --from TASK" in said
        # Like `run`, it follows only on request.
        assert (await there.tradewind("rerun", "d-1", "--all")).endswith(" started\n")
        assert len((await there.client.list(RUNS, "default"))["items"]) == 2


async def told_by(there: Scene, *arguments: str) -> str:
    """The message of a command that may fail."""
    process = await there.start(*arguments)
    return (await process.communicate())[1].decode()


async def test_what_a_command_says_names_what_is_so(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        body = yaml.safe_load(DAG)
        body["spec"]["maxActiveRuns"] = 2
        await there.client.create(DAGS, "default", body)
        await there.run("d-1", {"a": {}})
        rows = [row.split(":") for row in (await there.tradewind("describe", "dag", "d")).splitlines() if ":" in row]
        facts = {key: value.strip() for key, value, *_ in rows}
        assert (facts["Max active runs"], facts["Active runs"]) == ("2", "1")
        assert "--output x: write --output NAME=VALUE" in await told_by(
            there, "mark", "d-1", "succeeded", "a", "--output", "x"
        )
        assert "no runs in namespace default with these labels" in await told_by(there, "get", "runs", "-l", "x=y")
        assert "no runs of DAG e in namespace default\n" in await told_by(there, "get", "runs", "--dag", "e")
        await there.tradewind("cancel", "d-1")
        assert "`tradewind rerun d-1` starts another run" in await told_by(there, "retry", "d-1")
        assert await there.tradewind("delete", "d-1") == "dagrun/d-1 deleted; it had not ended\n"


async def test_backfills_are_waited_for_and_told_to_programs(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.client.create(DAGS, "default", yaml.safe_load(DAG))
        daily = ("backfill", "d", "--cron", "0 6 * * *", "--start")
        assert "spec.start: was in the future" in await told_by(there, *daily, "2999-01-01")
        near = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
        cut = await told_by(there, *daily, near, "--end", "2999-01-01", "--dry-run")
        assert "note: --end 2999-01-01 is in the future: there are only ticks up to now" in cut
        may = (*daily, "2026-05-01", "--end", "2026-05-02")
        told = json.loads(await there.tradewind(*may, "--dry-run", "-o", "json"))
        assert told["backfill"] is None and [step["action"] for step in told["steps"]] == ["Create", "Create"]
        assert await there.tradewind(*may, "--name", "may", "-o", "name") == "backfill.tradewind.dev/may\n"
        await there.client.patch(BACKFILLS, "default", "may", {"status": {"phase": "Running"}}, "status")
        late = "backfill/may has not ended within 1s: it is Running; see `tradewind get backfill/may`"
        assert late in await told_by(there, "wait", "backfill/may", "--timeout", "1s")
        done = {"phase": "Succeeded", "progress": "2/2", "message": "all"}
        await there.client.patch(BACKFILLS, "default", "may", {"status": done}, "status")
        assert await there.tradewind("wait", "bf/may") == "backfill/may Succeeded: all\n"
        assert await there.tradewind("watch", "backfill/may") == "Succeeded 2/2: all\n"


@pytest.mark.parametrize("theirs", ELSEWHERE)
def test_what_is_suggested_for_a_foreign_command_is_a_command(theirs: str) -> None:
    first = re.split(r"[ ;]", ELSEWHERE[theirs])[0]
    assert first in (*COMMANDS, "kubectl") and theirs not in COMMANDS
