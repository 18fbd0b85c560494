"""A run on this machine shows what its tasks do, in a terminal and in a pipe, and waits for nothing that can't come."""

import asyncio
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cli.glass import in_terminal
from tradewind.cli.starts.wanted import run_body
from tradewind.cli.views.pod_logs import PodLogs
from tradewind.kube.resources import APPROVALS, DAGS, RUNS
from tradewind.local.session import session
from worlds.commands import program

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\n"
INNER = (
    HEAD
    + "metadata: {name: inner}\nspec: {defaults: {image: x}, tasks: {x: {script: {shell: 'echo this is why; exit 7'}}}}\n"
)


def dag(name: str, spec: str) -> str:
    return f"{HEAD}metadata: {{name: {name}}}\nspec: {spec}\n---\n"


def run(folder: Path, manifest: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "dag.yaml").write_text(manifest)
    command = [*program(), "run", "-f", "dag.yaml", *arguments]
    given = {**os.environ, "TMPDIR": str(folder), **env}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=200, env=given, stdin=subprocess.DEVNULL
    )


def found(folder: Path, manifest: str, *arguments: str) -> Any:
    done = run(folder, manifest, "-o", "json", *arguments)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


ASKS = dag("asks", "{tasks: {ask: {approval: {onReject: Continue, questions: {limit: {type: integer}}}}}}")
LOGGED = dag(
    "logged",
    "{defaults: {image: x}, tasks: {says: {script: {shell: 'echo one; printf two'}},"
    " flaky: {script: {shell: 'echo boom; [ $TRADEWIND_ATTEMPT = 2 ]'}, retries: {limit: 2, backoff: {initial: 1s}}},"
    " sub: {dag: {name: inner}}}}",
)


def test_what_tasks_print_is_shown_and_kept_by_task_and_attempt(tmp_path: Path) -> None:
    done = run(tmp_path, LOGGED + INNER)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert {"says | one", "says | two", "flaky | boom", "flaky#2 | boom", "sub/x | this is why"} <= set(lines)
    kept = Path(next(line for line in lines if line.startswith("logs: ")).removeprefix("logs: "))
    assert (kept / "says#1.log").read_text() == "one\ntwo"
    assert (kept / "flaky#2.log").read_text() == "boom\n"
    assert (kept / "sub/x#1.log").read_text() == "this is why\n"


def test_logs_of_earlier_runs_are_removed_after_a_week(tmp_path: Path) -> None:
    old, young = tmp_path / "tradewind-logs-old", tmp_path / "tradewind-logs-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (time.time() - 8 * 86_400, time.time() - 8 * 86_400))
    assert run(tmp_path, LOGGED + INNER).returncode == 1
    assert not old.exists() and young.exists()


def test_a_failure_in_a_sub_dag_is_shown_with_its_log(tmp_path: Path) -> None:
    done = run(tmp_path, LOGGED + INNER, "--quiet")
    assert "says | one" not in done.stdout
    assert "sub/x: Failed" in done.stdout
    assert done.stdout.index("log of sub/x") < done.stdout.index("this is why")


def test_json_has_the_tasks_of_sub_dags_and_the_folder_of_logs(tmp_path: Path) -> None:
    data = found(tmp_path, LOGGED + INNER)
    (part,) = data["tasks"]["sub"]["runs"]
    assert part["dag"] == "inner" and part["tasks"]["x"]["attempts"][0]["exitCode"] == 7
    assert Path(data["logs"], "sub", "x#1.log").is_file()


def test_tasks_know_what_they_are(tmp_path: Path) -> None:
    spec = (
        "{defaults: {image: x}, tasks: {a: {env: {LABEL: 'of $(TRADEWIND_RUN)'}, script: {python:"
        " \"import os; print(*(os.environ['TRADEWIND_' + n] for n in ('NAMESPACE', 'DAG', 'RUN', 'TASK', 'ATTEMPT', 'LOGICAL_DATE')),"
        " os.environ['LABEL'])\\nraise ValueError\"}}}}"
    )
    done = run(tmp_path, dag("known", spec), "--name", "mine", "--logical-date", "2026-01-02", "--label", "team=a")
    assert "a | default known mine a 1 2026-01-02T00:00:00Z of mine" in done.stdout
    assert done.stdout.index("of mine") < done.stdout.index("Traceback")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("dag: {name: nope}", "dag.yaml:4: spec.tasks.a.dag.name: there is no DAG 'nope'"),
        ("template: {name: nope}", "there is no TaskTemplate 'nope'"),
        ("envFrom: {A: {secretKeyRef: {name: db, key: k}}}, command: [x]", "there is no Secret 'db'"),
        (
            "envFrom: {A: {configMapKeyRef: {name: there, key: k}}}, command: [x]",
            "ConfigMap 'there' has no key 'k'; it has: j",
        ),
        ("pools: [{name: gpu}], command: [x]", "there is no Pool 'gpu'"),
    ],
)
def test_what_can_not_come_is_an_error_before_the_start(tmp_path: Path, task: str, words: str) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: there}\ndata: {j: x}\n"
    done = run(tmp_path, dag("lacking", f"{{defaults: {{image: x}}, tasks: {{a: {{{task}}}}}}}") + config)
    assert done.returncode == 1 and words in done.stderr and done.stdout == ""


def test_a_config_map_that_the_run_reads_when_it_starts_is_missed_before_the_start(tmp_path: Path) -> None:
    done = run(tmp_path, dag("lacking", "{config: {shops: {configMap: shops}}, tasks: {a: {compute: {x: '1'}}}}"))
    assert done.returncode == 1 and done.stdout == ""
    assert "spec.config.shops.configMap: there is no ConfigMap 'shops' among these manifests" in done.stderr


def test_what_a_called_dag_lacks_is_an_error_before_the_start(tmp_path: Path) -> None:
    inner = dag("inner", "{defaults: {image: x}, tasks: {a: {dag: {name: deep}}}}")
    done = run(tmp_path, dag("top", "{tasks: {s: {dag: {name: inner}}}}") + inner)
    assert done.returncode == 1 and "there is no DAG 'deep'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--watch"], "--watch: a run of -f is on this machine"),
        (["-n", "other"], "--namespace: a run of -f is on this machine"),
        (["--label", "tradewind.dev/dag=x"], "are reserved for Tradewind"),
        (["--label", "team"], "write --label NAME=VALUE"),
        (["--param-file", "none.yaml"], "none.yaml: No such file or directory"),
    ],
)
def test_options_that_do_not_apply_are_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run(tmp_path, dag("d", "{tasks: {a: {compute: {x: '1'}}}}"), *arguments)
    assert done.returncode in (1, 2) and words in done.stderr


def test_params_come_from_files_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("{n: 2, tables: [a, b]}")
    spec = "{params: {n: {type: integer, default: 1}, tables: {type: list}}, tasks: {a: {compute: {x: '1'}}}}"
    (tmp_path / "other.yaml").write_text(dag("other", "{tasks: {s: {dag: {name: d, params: {tables: []}}}}}"))
    arguments = ("--param-file", "params.yaml", "-p", "n=3", "-f", "other.yaml")
    assert found(tmp_path, dag("d", spec), *arguments, "d")["params"] == {"n": 3, "tables": ["a", "b"]}
    assert found(tmp_path, dag("d", spec), "-p", "tables=")["params"]["tables"] == []


def test_the_only_dag_that_runs_itself_needs_no_name(tmp_path: Path) -> None:
    spec = (
        "{params: {n: {type: integer, default: 1}}, tasks: {again: {when: params.n > 0,"
        " dag: {name: self, params: {n: '$[[ params.n - 1 ]]'}}}}}"
    )
    assert found(tmp_path, dag("self", spec))["phase"] == "Succeeded"


def test_arguments_without_a_command_are_for_an_entrypoint(tmp_path: Path) -> None:
    data = found(tmp_path, dag("d", "{tasks: {a: {image: x, args: [echo, hello]}}}"))
    assert data["phase"] == "Failed" and "entrypoint" in data["tasks"]["a"]["message"]


def test_an_approval_is_asked_for_at_the_terminal(tmp_path: Path) -> None:
    spec = "{tasks: {ask: {approval: {message: 'Publish?', questions: {limit: {type: integer, default: 5}}}}}}"
    (tmp_path / "dag.yaml").write_text(dag("d", spec))
    code, shown = in_terminal(
        tmp_path, ["run", "-f", "dag.yaml"], [("Publish? [y/n] ", "y\n"), ("limit", "x\n"), ("limit", "7\n")]
    )
    assert code == 0 and '"limit": 7' in shown


def test_an_approval_that_is_declined_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(dag("d", "{tasks: {ask: {approval: {message: 'Publish?'}}}}"))
    assert in_terminal(tmp_path, ["run", "-f", "dag.yaml"], [("[y/n] ", "n\n")])[0] == 1


def test_a_suspended_dag_runs_here_nevertheless(tmp_path: Path) -> None:
    done = run(tmp_path, dag("d", "{suspend: true, tasks: {a: {compute: {x: '1'}}}}"))
    assert done.returncode == 0 and "d is suspended; it runs here anyway" in done.stdout


def test_brackets_in_messages_are_text(tmp_path: Path) -> None:
    done = run(tmp_path, dag("d", "{tasks: {a: {compute: {x: '1'}, when: \"'[/x]' == ''\"}}}"))
    assert done.returncode == 0 and "[/x]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["spec.tasks.ask.approval: nobody can be asked here", "--approve ask or --reject ask"]),
        (["--approve"], ["question limit: an answer is needed; answer it with --answer limit=VALUE"]),
        (["--approve", "ask", "--answer", "limit=x"], ["question limit: 'x' is not an integer"]),
        (["--approve", "askk", "--reject", "other"], ["--approve askk: there is no such approval; did you mean ask?"]),
        (
            ["--answer", "limt=3", "--reject", "ask"],
            ["--answer limt: there is no such question", "did you mean limit?"],
        ),
    ],
)
def test_what_nobody_can_decide_is_an_error_before_the_start(
    tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    done = run(tmp_path, dag("top", "{tasks: {s: {dag: {name: asks}}}}") + ASKS, *arguments)
    assert done.returncode == 1 and done.stdout == "" and [text for text in words if text not in done.stderr] == []


@pytest.mark.parametrize(
    ("arguments", "approved"),
    [
        (["--approve", "ask", "--answer", "limit=3"], True),
        (["--answer", "limit=3", "--approve"], True),
        (["--reject", "ask", "--approve"], False),
    ],
)
def test_approvals_are_decided_beforehand(tmp_path: Path, arguments: list[str], approved: bool) -> None:
    outputs = found(tmp_path, ASKS, *arguments)["tasks"]["ask"]["outputs"]
    assert outputs["approved"] is approved and outputs["answers"] == ({"limit": 3} if approved else {})


def test_an_approval_with_a_timeout_needs_nobody(tmp_path: Path) -> None:
    done = run(tmp_path, dag("d", "{tasks: {ask: {approval: {timeout: 1s, onTimeout: Continue}}}}"))
    assert done.returncode == 0 and "nobody can be asked here; the task waits until 20" in done.stdout


def test_an_attempt_under_way_is_not_told_with_the_end_of_the_one_before(tmp_path: Path) -> None:
    flaky = (
        "script: {shell: '[ $TRADEWIND_ATTEMPT = 2 ] || exit 75; sleep 1'}, retries: {limit: 1, backoff: {initial: 1s}}"
    )
    done = run(tmp_path, dag("d", f"{{defaults: {{image: x}}, tasks: {{a: {{{flaky}}}}}}}"))
    told = [line for line in done.stdout.splitlines() if line.startswith(("a: Pending", "a: Running"))]
    assert done.returncode == 0 and not [line for line in told if "75" in line]


async def test_logs_are_in_the_order_in_which_tasks_started(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        spec = "{defaults: {image: x}, tasks: {a: {dependsOn: [z], script: {shell: echo x}}, z: {script: {shell: echo x}}}}"
        await here.client.create(DAGS, "default", yaml.safe_load(dag("d", spec).removesuffix("---\n")))
        await here.client.create(RUNS, "default", run_body("d", {}, "r"))
        while not (await here.client.get(RUNS, "default", "r")).get("status", {}).get("finishedAt"):
            await asyncio.sleep(0.1)
        printed: list[str] = []
        await PodLogs(here.client, "default").print_current("r", lambda label, _: printed.append(label))
        assert printed == ["z | ", "a | "]


async def test_logs_of_sub_dags_are_read_by_the_task_that_runs_them(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        for text in (LOGGED, INNER):
            body = yaml.safe_load(text.removesuffix("---\n"))
            await here.client.create(DAGS, "default", body)
        await here.client.create(RUNS, "default", run_body("logged", {}, "one"))
        while not (await here.client.get(RUNS, "default", "one")).get("status", {}).get("finishedAt"):
            await asyncio.sleep(0.1)

        async def logs(task: str = "") -> list[str]:
            found: list[str] = []
            await PodLogs(here.client, "default", task).print_current(
                "one", lambda label, lines: found.extend(label + line for line in lines)
            )
            return found

        assert set(await logs()) == {
            "says | one",
            "says | two",
            "flaky#1 | boom",
            "flaky#2 | boom",
            "sub/x | this is why",
        }
        assert await logs("sub/x") == await logs("sub") == ["this is why"]
        assert await logs("flaky") == ["flaky#1 | boom", "flaky#2 | boom"]
        for task, words in {"../x": "is not the name of a task", "nope": "there is no task 'nope' in run one"}.items():
            with pytest.raises(click.ClickException, match=words):
                await logs(task)


def test_colours_are_for_terminals_only(tmp_path: Path) -> None:
    done = run(tmp_path, LOGGED + INNER, FORCE_COLOR="1")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("beside", ["", ", b: {image: x, script: {shell: 'sleep 100'}}"])
async def test_nobody_is_asked_for_a_run_that_was_cancelled(tmp_path: Path, beside: str) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        spec = f"{{tasks: {{a: {{approval: {{message: 'go on?'}}}}{beside}}}}}"
        body = yaml.safe_load(dag("asking", spec).removesuffix("---\n"))
        await here.client.create(DAGS, "default", body)
        await here.client.create(RUNS, "default", run_body("asking", {}, "r"))
        while not (await here.client.list(APPROVALS, "default"))["items"]:
            await asyncio.sleep(0.1)
        await here.client.patch(RUNS, "default", "r", {"spec": {"desiredState": "Cancelled"}})
        while (await here.client.get(RUNS, "default", "r"))["status"]["phase"] != "Cancelled":
            await asyncio.sleep(0.1)
        for item in (await here.client.list(APPROVALS, "default"))["items"]:
            while (await here.client.get(APPROVALS, "default", item["metadata"]["name"]))["status"][
                "outcome"
            ] == "Pending":
                await asyncio.sleep(0.1)
