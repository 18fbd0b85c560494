"""Templates in files: lint, render and run find them there, without a cluster."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from tradewind.cli.main import main
from worlds.commands import program

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\n"
LOAD = "{params: {table: {}, rows: {type: integer, default: 1}}, task: {image: x, env: {TABLE: '$[[ inputs.table ]]'}, command: [load]}}"
DAILY = "{params: {table: {}}, dag: {params: {day: {type: date}}, tasks: {a: {template: {name: load, cluster: true, params: {table: '$[[ inputs.table ]]'}}}}}}"


def document(kind: str, name: str, spec: str, more: str = "") -> str:
    return HEAD.format(kind=kind, name=name, more=more) + f"spec: {spec}\n"


def tradewind(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "load.yaml").write_text(document("ClusterTaskTemplate", "load", LOAD))
    (tmp_path / "templates" / "daily.yaml").write_text(document("ClusterDAGTemplate", "daily", DAILY))
    instance = "{template: {name: daily, cluster: true, params: {table: users}}}"
    (tmp_path / "dag.yaml").write_text(document("DAG", "users", instance, ", namespace: team"))
    return tmp_path


def test_a_dag_is_checked_with_the_templates_beside_it(folder: Path) -> None:
    done = tradewind("lint", folder)
    assert done.exit_code == 0 and done.stdout == "" and "3 manifests of Tradewind checked" in done.stderr
    (folder / "run.yaml").write_text(document("DAGRun", "r", "{dag: users, params: {day: soon}}", ", namespace: team"))
    assert "spec.params.day: 'soon' is not a date" in tradewind("lint", folder).stdout


def test_a_mistake_in_an_instance_has_its_line_there(folder: Path) -> None:
    path = folder / "wrong.yaml"
    path.write_text(
        document(
            "DAG",
            "w",
            "\n  tasks:\n    a:\n      template:\n        name: load\n        cluster: true\n        params: {rows: 3}",
        )
    )
    done = tradewind("lint", folder)
    words = "spec.tasks.a.template.params.table: required; give a string (ClusterTaskTemplate load, spec.params.table)"
    assert done.exit_code == 1 and done.stdout == f"{path}:10:9: {words}\n"


def test_a_mistake_in_a_template_has_its_line_there(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(document("TaskTemplate", "t", "\n  task:\n    image: x\n    env:\n      X: $[[ inputs.nope ]]"))
    done = tradewind("lint", path)
    assert done.exit_code == 1
    assert done.stdout == f"{path}:8:7: spec.task.env.X: `inputs.nope`: there is no inputs.nope; declared are: none\n"


def test_a_template_that_is_elsewhere_is_noted_and_the_rest_is_checked(folder: Path) -> None:
    tasks = "{tasks: {a: {template: {name: elsewhere}}, b: {dependsOn: [a], image: x, when: %s}}}"
    (folder / "other.yaml").write_text(document("DAG", "d", tasks % "'tasks.a.outputs.map(o, o.n).size() > 0'"))
    done = tradewind("lint", folder)
    words = "note: spec.tasks.a.template: TaskTemplate elsewhere is not among these manifests; what it provides is not checked"
    assert done.exit_code == 0 and done.stdout == "" and f"{folder / 'other.yaml'}:4:20: {words}" in done.stderr
    (folder / "other.yaml").write_text(document("DAG", "d", tasks % "params.nope"))
    assert "there is no params.nope" in tradewind("lint", folder).stdout
    told = json.loads(tradewind("lint", "-o", "json", folder).stdout)
    assert [len(told["problems"]), len(told["notes"])] == [1, 1]
    (folder / "other.yaml").write_text(document("DAG", "d", "{template: {name: elsewhere}, concurrencyKey: params.x}"))
    assert tradewind("lint", folder).exit_code == 0


def test_a_template_of_another_namespace_is_not_meant(tmp_path: Path) -> None:
    text = document("TaskTemplate", "load", LOAD, ", namespace: there") + "---\n"
    text += document("DAG", "d", "{tasks: {a: {template: {name: load}}}}", ", namespace: here")
    (tmp_path / "f.yaml").write_text(text)
    assert "is not among these manifests" in tradewind("lint", tmp_path).stderr


def test_render_shows_the_dag_that_runs_begin_with(folder: Path) -> None:
    done = tradewind("render", "-f", folder / "dag.yaml", "-f", folder / "templates")
    shown = yaml.safe_load(done.stdout)
    assert done.exit_code == 0 and shown["metadata"] == {"name": "users", "namespace": "team"}
    wanted = {"a": {"image": "x", "env": {"TABLE": "users"}, "command": ["load"]}}
    assert shown["spec"] == {"params": {"day": {"type": "date"}}, "tasks": wanted}
    assert json.loads(tradewind("render", "-f", folder, "-o", "json").stdout) == [shown]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["render", "-f", "{folder}/dag.yaml"],
            "{folder}/dag.yaml:4: spec.template: there is no ClusterDAGTemplate daily",
        ),
        (["render", "-f", "{folder}", "other"], "no DAG 'other' in these manifests"),
        (["render"], "name a DAG of the cluster, or give manifests with -f"),
        (
            ["run", "-f", "{folder}/dag.yaml"],
            "{folder}/dag.yaml:4: spec.template: there is no ClusterDAGTemplate 'daily' among these manifests",
        ),
    ],
)
def test_what_can_not_be_rendered_is_refused(folder: Path, arguments: list[str], words: str) -> None:
    done = tradewind(*(argument.format(folder=folder) for argument in arguments))
    assert done.exit_code in (1, 2) and words.format(folder=folder) in done.stderr


def test_a_file_with_cluster_wide_templates_runs_here(folder: Path) -> None:
    both = [path.read_text() for path in (folder / "dag.yaml", *sorted((folder / "templates").glob("*.yaml")))]
    text = "---\n".join(both).replace(
        "command: [load]", 'script: {shell: "echo \'{\\"t\\": 1}\' > $TRADEWIND_OUTPUTS"}'
    )
    (folder / "all.yaml").write_text(text)
    command = [*program(), "run", "-f", str(folder / "all.yaml"), "-p", "day=2026-01-31"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and 'a: {"t": 1}' in done.stdout, done.stdout + done.stderr
