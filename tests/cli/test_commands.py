"""The command line, as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worlds.commands import program

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\nspec:\n  defaults: {image: x}\n"


def tradewind(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [*program(), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, env={**os.environ, **env})


@pytest.fixture
def dag(tmp_path: Path) -> Path:
    (tmp_path / "dag.yaml").write_text(
        HEAD + "  params: {n: {type: integer, default: 1}, l: {type: list, default: []}}\n"
        "  tasks:\n"
        "    a: {env: {NUMBER: '$[[ params.n * 2 ]]'}, script: {shell: 'echo says $NUMBER; echo \"{\\\"n\\\": $NUMBER}\" > $TRADEWIND_OUTPUTS'}}\n"
        "    b: {dependsOn: [a], env: {NUMBER: '$[[ tasks.a.outputs.n ]]'}, script: {shell: 'echo got $NUMBER; [ $NUMBER -lt 5 ]'}}\n"
    )
    return tmp_path


def test_a_run_that_succeeds_shows_its_outputs_and_exits_with_0(dag: Path) -> None:
    done = tradewind("run", "-f", "dag.yaml", cwd=dag)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'a: {"n": 2}' in done.stdout and "Succeeded: 2 of 2 tasks succeeded" in done.stdout


def test_a_logical_date_keeps_its_offset(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(HEAD + "  tasks: {a: {compute: {date: run.date}}}\n")
    done = tradewind("run", "-f", "f.yaml", "--logical-date", "2026-11-25T00:30:00+01:00", "-o", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"]["a"]["outputs"] == {"date": "2026-11-25"}


def test_a_run_that_fails_shows_the_log_of_the_task_and_exits_with_1(dag: Path) -> None:
    done = tradewind("run", "-f", "dag.yaml", "--param", "n=3", cwd=dag)
    assert done.returncode == 1 and "log of b" in done.stdout and "got 6" in done.stdout


def test_json_is_for_programs_and_everything_else_goes_to_stderr(dag: Path) -> None:
    done = tradewind("run", "-f", "dag.yaml", "-o", "json", cwd=dag)
    run = json.loads(done.stdout)
    assert (
        run["phase"] == "Succeeded" and run["tasks"]["a"]["outputs"] == {"n": 2} and run["params"] == {"n": 1, "l": []}
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--param", "n=many"], "--param n: 'many' is not an integer; write an integer"),
        (["--param", "m=1"], "--param m: no such param; the DAG declares: l, n"),
        (
            ["--param", "l=[users, orders]"],
            """--param l: '[users, orders]' is not a list; write a list such as ["a", "b"]""",
        ),
        (["-p", "l=a", "-p", "l=b"], "--param l: given more than once; write it once, a list as --param l=a,b"),
        (["--param", "n"], "--param n: write --param NAME=VALUE"),
        (["other"], "has no DAG 'other'; it has: d"),
    ],
)
def test_a_mistake_is_answered_before_anything_starts(dag: Path, arguments: list[str], words: str) -> None:
    done = tradewind("run", "-f", "dag.yaml", *arguments, cwd=dag)
    assert done.returncode in (1, 2) and words in done.stderr and "Traceback" not in done.stderr


def test_of_a_dag_and_those_that_it_calls_the_first_is_run_and_its_results_are_shown(tmp_path: Path) -> None:
    examples = Path(__file__).parents[2] / "examples"
    done = tradewind("run", "-f", str(examples / "sub-dag.yaml"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'total: {"rows": 7}' in done.stdout and 'results: {"rows": 7}' in done.stdout


LOCAL = (
    HEAD
    + """\
  tasks: {go: {dag: {local: part}}}
  dags:
    part: {tasks: {ask: {approval: {}}, load: {dependsOn: [ask], envFrom: {KEY: {secretKeyRef: {name: SECRET, key: k}}}}}}
"""
)


def test_what_tasks_of_local_dags_use_is_looked_for_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "local.yaml").write_text(LOCAL.replace("SECRET", "s"))
    done = tradewind("run", "-f", "local.yaml", "--approve", "ask", cwd=tmp_path)
    assert done.returncode == 1 and "there is no Secret 's' among these manifests" in done.stderr, done.stderr
    (tmp_path / "local.yaml").write_text(LOCAL.replace("name: SECRET,", "name: s, optional: true,"))
    done = tradewind("run", "-f", "local.yaml", "--approve", "load", cwd=tmp_path)
    assert "--approve load: there is no such approval; there are: ask" in done.stderr


def test_of_several_files_the_command_that_chooses_a_dag_is_one_that_works(tmp_path: Path) -> None:
    for name in ("a", "b c"):
        (tmp_path / f"{name}.yaml").write_text(
            HEAD.replace("name: d", f"name: {name[0]}") + "  tasks: {t: {compute: {x: '1'}}}\n"
        )
    done = tradewind("run", "-f", "a.yaml", "-f", "b c.yaml", cwd=tmp_path)
    assert done.returncode == 1 and "`tradewind run -f a.yaml -f 'b c.yaml' a`" in done.stderr


def test_a_run_below_a_folder_chooses_no_dag(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    params = "  params: {n: {type: integer, default: 1}}\n"
    for name in ("a", "b"):
        (tmp_path / "f" / f"{name}.yaml").write_text(
            HEAD.replace("name: d", f"name: {name}") + params + "  tasks: {t: {compute: {x: params.n}}}\n"
        )
    run = HEAD.partition("spec")[0].replace("DAG", "DAGRun") + "spec: {dag: b, params: {n: 7}}\n"
    (tmp_path / "f" / "run.yaml").write_text(run)
    done = tradewind("run", "-f", "f", cwd=tmp_path)
    assert done.returncode == 1 and "f: has the DAGs a, b: name one" in done.stderr, done.stdout
    for arguments in (["-f", "f", "b"], ["-f", "f/a.yaml", "-f", "f/b.yaml", "-f", "f/run.yaml"]):
        done = tradewind("run", *arguments, cwd=tmp_path)
        assert "note: DAG b with the params of dagrun/d (f/run.yaml:1)" in done.stdout and 't: {"x": 7}' in done.stdout


def test_a_sensor_for_a_run_of_a_dag_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(HEAD + "  tasks:\n    s: {sensor: {run: {dag: sales}, timeout: 1s}}\n")
    done = tradewind("run", "-f", "f.yaml", cwd=tmp_path)
    assert "f.yaml:7: spec.tasks.s.sensor.run.dag: there is no DAG 'sales' among these manifests; add it" in done.stderr


def test_a_folder_is_run_as_lint_reads_it(dag: Path) -> None:
    (dag / "kustomization.yaml").write_text("kind: Kustomization\nresources: [dag.yaml]\n")
    (dag / "package.json").write_text("{}")
    (dag / "empty").mkdir()
    done = tradewind("run", "-f", ".", "-q", cwd=dag)
    assert done.returncode == 0, done.stderr
    done = tradewind("run", "-f", "empty", cwd=dag)
    assert done.returncode == 1 and "empty: no manifests (*.yaml, *.yml, *.json) in this folder" in done.stderr


def test_a_cycle_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(HEAD + "  tasks:\n    a:\n      dependsOn: [b]\n    b:\n      dependsOn: [a]\n")
    done = tradewind("run", "-f", "f.yaml", cwd=tmp_path)
    assert done.returncode == 1 and "in a cycle" in done.stderr and done.stderr.startswith("Error: f.yaml:")


def test_without_a_cluster_the_way_out_is_named(tmp_path: Path) -> None:
    done = tradewind("get", "dags", cwd=tmp_path, KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert done.returncode == 1 and "no cluster to talk to" in done.stderr and "tradewind run -f FILE" in done.stderr


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nusers: [{name: u, user: {}}]\n"
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:9'}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
    )
    done = tradewind("get", "runs", cwd=tmp_path, KUBECONFIG=str(config))
    assert done.returncode == 1 and "nothing listens at " in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_ctrl_c_cancels_the_run_and_leaves_no_process_behind(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; trap 'exit 143' TERM; sleep 600 & wait"
    (tmp_path / "f.yaml").write_text(HEAD + f'  tasks:\n    a: {{script: {{shell: "{script}"}}}}\n')
    command = [sys.executable, "-m", "tradewind.cli", "run", "-f", "f.yaml"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=200)
    assert process.returncode == 130 and "cancelling" in told and "Cancelled" in out
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 100  # the kernel ends killed processes in its own time
    while any(_alive_in(group, stat) for stat in Path("/proc").glob("[0-9]*/stat")):
        assert time.monotonic() < deadline, "a process of the task is still running"
        time.sleep(0.05)


def _alive_in(group: int, stat: Path) -> bool:
    """Whether the process of a /proc/PID/stat runs in the group; a zombie waits for its parent, and does not run."""
    try:
        state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(its_group) == group and state not in "ZX"
