"""What is written is what is meant, or it is refused before it runs: by lint, the webhook, and the API server's own
rules."""

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from control.admission.test_handler import Cluster
from tradewind.cli.approve import unfit
from tradewind.cli.lint import command
from tradewind.cli.manifests import script_check
from tradewind.cli.manifests.reader import parse
from tradewind.control.admission.handler import Request, admit
from tradewind.control.dags.validation import review
from tradewind.control.pools.book import PoolBook
from tradewind.local.apiserver.celrules import violations
from tradewind.model.crd import manifests
from tradewind.model.pool import PoolClaim
from tradewind.model.task_rules import SCHEMA
from tradewind.model.value import Param
from tradewind.plan.triggers import event

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
INNER = (
    "{params: {count: {type: integer}}, outputs: {double: params.count * 2}, tasks: {t: {compute: {v: params.count}}}}"
)
STEP = "{a: {image: x}}"


def document(name: str, spec: str, kind: str = "DAG") -> str:
    return HEAD.format(kind=kind, name=name, spec=spec)


def lint(text: str) -> tuple[int, list[str], list[str]]:
    """Exit code, problems and notes."""
    done = CliRunner().invoke(command, ["-o", "json", "-"], input=text)
    said = json.loads(done.stdout)
    return done.exit_code, *([item["message"] for item in said[part]] for part in ("problems", "notes"))


def wrong(**spec: Any) -> list[str]:
    return [str(problem) for problem in review("DAG", spec).problems]


def one(**task: Any) -> list[str]:
    return wrong(tasks={"a": task})


# Several documents.


def test_a_call_is_held_against_the_dag_beside_it() -> None:
    tasks = (
        "{a: {dag: {name: inner}}, b: {dag: {name: inner, params: {count: 1, cuont: 2}}},"
        " c: {dag: {name: inner, params: {count: many}}}, e: {dag: {name: inner, params: {count: '$[[ run.attempt ]]'}}},"
        " d: {dag: {name: inner, params: {count: 3}}, outputs: {doubel: {}}}}"
    )
    code, problems, notes = lint(document("outer", f"{{tasks: {tasks}}}") + "---\n" + document("inner", INNER))
    assert code == 1 and not notes
    assert problems == [
        "spec.tasks.a.dag.params.count: required; give an integer",
        "spec.tasks.b.dag.params.cuont: no such param; did you mean count? DAG inner declares: count",
        "spec.tasks.c.dag.params.count: 'many' is not an integer; write an integer",
        "spec.tasks.d.outputs.doubel: DAG inner has no output 'doubel'; did you mean double? it has: double",
    ]


def test_outputs_of_a_call_are_those_of_the_dag_beside_it() -> None:
    tasks = "{a: {dag: {name: inner, params: {count: 1}}}, b: {dependsOn: [a], when: tasks.a.outputs.doubel > 1, wait: {duration: 1s}}}"
    outer = document("outer", f"{{tasks: {tasks}, outputs: {{x: tasks.a.outputs.double}}}}")
    assert lint(outer)[0] == 0
    code, problems, _ = lint(f"{outer}---\n{document('inner', INNER)}")
    assert code == 1 and problems == [
        "spec.tasks.b.when: `tasks.a.outputs.doubel > 1`: there is no output 'doubel' of task a; did you mean double? declared are: double"
    ]


def test_results_that_a_trigger_takes_are_those_of_the_dag_beside_it() -> None:
    spec = (
        "{dag: after, completed: {dags: [{name: inner, when: source.results.doubel > 1}]}, when: source.params.count > 1,"
        " params: {n: '$[[ source.results.dubble ]]', m: '$[[ has(source.results.x) ? source.results.x : 0 ]]'}}"
    )
    after = document("after", "{params: {n: {type: integer}, m: {type: integer}}, tasks: {a: {compute: {x: '1'}}}}")
    text = f"{document('t', spec, 'Trigger')}---\n{after}"
    assert lint(text)[0] == 0
    code, problems, _ = lint(f"{text}---\n{document('inner', INNER)}")
    instead = "did you mean double? declared are: double"
    assert code == 1 and problems == [
        f"spec.completed.dags[0].when: `source.results.doubel > 1`: there is no source.results.doubel; {instead}",
        f"spec.params.n: `source.results.dubble`: there is no source.results.dubble; {instead}",
    ]


def test_a_called_dag_that_is_not_beside_is_noted() -> None:
    text = document("outer", "{tasks: {a: {dag: {name: iner}}}}") + "---\n" + document("inner", INNER)
    code, problems, notes = lint(text)
    assert code == 0 and not problems
    assert notes == ["spec.tasks.a.dag.name: there is no DAG 'iner' among these manifests; did you mean inner?"]


def test_a_sensor_for_a_task_that_its_dag_beside_does_not_have_is_refused() -> None:
    outer = "{tasks: {a: {sensor: {run: {dag: inner, task: %s}}}}}"
    inner = document("inner", f"{{tasks: {STEP}}}")
    name = "a"
    path = "spec.tasks.a.sensor.run.task"
    for task, problem in (
        (name, ""),
        ("other", f"DAG inner has no task 'other'; there are: {name}"),
        (f"'{name}[1]'", f"{name} of DAG inner is no fan-out; write {name}"),
    ):
        code, problems, _ = lint(document("outer", outer % task) + "---\n" + inner)
        assert problems == ([f"{path}: {problem}"] if problem else []) and code == bool(problem)


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    text = document("load", f"{{tasks: {STEP}}}")
    code, problems, _ = lint(f"{text}---\n{text}")
    assert code == 1 and problems == ["metadata.name: there is another DAG 'load', at -:3; rename one"]
    assert lint(f"{text}---\n{document('load', '{slots: 1}', 'Pool')}")[0] == 0
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(text)
    done = CliRunner().invoke(command, [str(tmp_path)])
    assert done.exit_code == 0 and "note: metadata.name: there is another DAG 'load'" in done.stderr


def test_what_is_applied_together_is_checked_with_its_triggers(tmp_path: Path) -> None:
    from tradewind.cli.main import main

    (tmp_path / "f.yaml").write_text(document("t", "{dag: d, schedule: {cron: '@once'}}", "Trigger"))
    with patch("tradewind.kube.client.Client.apply", side_effect=AssertionError("nothing may be sent")):
        config = tmp_path / "config"
        config.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "users": [{"name": "u", "user": {}}],
                    "current-context": "c",
                }
            )
        )
        done = CliRunner().invoke(main, ["apply", "-f", str(tmp_path / "f.yaml"), "--kubeconfig", str(config)])
    assert done.exit_code == 1 and "spec.schedule.cron: there is no" in done.output


# As strict as the API server.


def test_text_where_a_number_or_a_boolean_belongs_is_refused() -> None:
    spec = {"parallelism": "2", "tasks": {"a": {"image": "x", "retries": {"limit": "3"}, "allowFailure": "yes"}}}
    assert wrong(**spec) == [
        "spec.parallelism: text, not a whole number; write 2 without quotes",
        "spec.tasks.a.retries.limit: text, not a whole number; write 3 without quotes",
        "spec.tasks.a.allowFailure: text, not a boolean; write true without quotes",
    ]


def test_fields_in_snake_case_are_unknown() -> None:
    assert wrong(tasks={"a": {"image": "x"}, "b": {"image": "x", "depends_on": ["a"], "trigger_rule": "AllDone"}}) == [
        "spec.tasks.b.depends_on: unknown field; did you mean dependsOn?",
        "spec.tasks.b.trigger_rule: unknown field; did you mean triggerRule?",
    ]


def test_what_is_there_twice_in_a_set_is_refused_as_by_the_api_server() -> None:
    tasks = "{a: {image: x}, b: {image: x, dependsOn: [a, a]}}"
    code, problems, _ = lint(document("d", f"{{allowTriggersFrom: [x, x], tasks: {tasks}}}"))
    assert code == 1
    assert problems == [
        'spec.allowTriggersFrom[1]: "x" is there twice; remove one',
        'spec.tasks.b.dependsOn[1]: "a" is there twice; remove one',
    ]


@pytest.mark.parametrize(("kind", "limit"), [("DAG", 63), ("Trigger", 46), ("Backfill", 46)])
def test_names_are_as_long_as_the_api_server_takes_them(kind: str, limit: int) -> None:
    specs = {"Trigger": "{dag: d, schedule: {every: 1h}}", "Backfill": "{dag: d, cron: '@daily', start: 2026-05-01}"}
    spec = specs.get(kind, f"{{tasks: {STEP}}}")
    assert lint(document("n" * limit, spec, kind))[0] == 0
    code, problems, _ = lint(document("n" * (limit + 1), spec, kind))
    assert code == 1 and f"metadata.name: {limit + 1} characters; use at most {limit}" in problems[0]


def test_rules_of_the_api_server_name_what_breaks_them() -> None:
    crd = next(made for made in manifests() if made["spec"]["names"]["kind"] == "DAG")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    tasks = {
        "a": {},
        "b": {"dependsOn": ["aa"]},
        "c": {"dependsOn": ["c"]},
        "d_d": {},
        "e": {"teardown": {"of": ["z"]}},
    }
    body = {"metadata": {"name": "d"}, "spec": {"tasks": tasks, "params": {"1x": {}}, "outputs": {"o-o": "1"}}}
    said = [cause.message for rules in (schema, SCHEMA) for cause in violations(rules, body, None)]
    for words in (
        "task b: dependsOn names a task that is not in spec.tasks",
        "task c: a task depends on itself",
        "task d_d: names of tasks have",
        "task e: teardown.of names a task",
        "param 1x: names of params have",
        "output o-o: names of outputs have",
    ):
        assert any(words in message for message in said), words


# YAML.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-5", 1e-5), ("1e3", 1000), ("12:30", "12:30"), ("23:59:59", "23:59:59"), ("2026-01-31", "2026-01-31"),
        ("on", True), ("n", False), ("Y", True), ("yEs", "yEs"), ("010", 8), ("08", 8), ("0o14", 12), ("0b101", 5),
        ("0x1F", 31), ("1_000", 1000), ("1.0", 1), (".5", 0.5), ("1.2.3", "1.2.3"), ("=", "="), ("~", None), ("1e", "1e"),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_what_kubectl_makes_of_it(tmp_path: Path, written: str, meant: object) -> None:
    (tmp_path / "f.yaml").write_text(f"a: {written}\n")
    found = parse(str(tmp_path / "f.yaml"))[0].body["a"]
    assert found == meant and type(found) is type(meant)


def test_values_that_mean_something_else_are_noted() -> None:
    code, _, notes = lint(
        document("d", f"{{params: {{a: {{default: off}}, b: {{type: integer, default: 010}}}}, tasks: {STEP}}}")
    )
    assert code == 1 and notes == ['spec.params.b.default: 010 without quotes is 8; write 8, or "010" for text']


# Expressions in fields that are not evaluated.


def test_scripts_are_given_values_by_env() -> None:
    assert one(image="x", script={"shell": "echo '$[[ params.who ]]'"}) == [
        "spec.tasks.a.script.shell: `$[[ params.who ]]` is not evaluated in a script; "
        'pass it by env: {WHO: "$[[ params.who ]]"}, and write "$WHO"'
    ]
    assert 'write os.environ["REGION"]' in one(image="x", script={"python": "x = '{{ inputs.parameters.region }}'"})[0]
    for text in (
        "docker inspect -f '{{.State.Status}}' c",
        "kubectl get -o go-template='{{range .items}}{{end}}'",
        "[[ a ]]",
    ):
        assert not one(image="x", script={"shell": text})


def test_an_expression_with_a_character_missing_is_noted() -> None:
    env = {"A": "[[ params.who ]]", "B": "x$[ run.name ]", "C": "$[[ run.name ]]", "D": "[[ -f x ]] $[ 1 + 2 ]"}
    _, problems, notes = lint(document("d", json.dumps({"tasks": {"a": {"image": "x", "env": env}}})))
    assert problems == [] and [note.partition(": ")[2] for note in notes] == [
        "`[[ params.who ]]` is kept as it is; write $[[ params.who ]] for a value of the run",
        "`$[ run.name ]` is kept as it is; write $[[ run.name ]] for a value of the run",
    ]


def test_braces_elsewhere_are_a_warning_of_lint_and_webhook() -> None:
    spec = {"tasks": {"a": {"image": "x", "env": {"W": "{{workflow.parameters.who}}"}}}}
    words = "spec.tasks.a.env.W: `{{workflow.parameters.who}}` is kept as it is; write $[[ params.who ]] for a value of the run"
    code, problems, notes = lint(document("d", json.dumps(spec)))
    assert (code, problems, notes) == (0, [], [words])
    made = Request("u", "DAG", "CREATE", "ns", "d", {}, {"metadata": {"name": "d"}, "spec": spec})
    verdict = asyncio.run(admit(made, Cluster()))
    assert not verdict.problems and verdict.warnings == [words]


def test_expressions_in_descriptions_and_defaults_are_noted() -> None:
    code, _, notes = lint(
        document("d", f"{{description: '$[[ run.name ]]', params: {{a: {{default: '$[[ x ]]'}}}}, tasks: {STEP}}}")
    )
    assert code == 0 and [note.partition(":")[0] for note in notes] == ["spec.description", "spec.params.a.default"]


# Scripts.


def test_scripts_are_compiled_and_never_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for language, text in (("python", f"open({str(touched)!r}, 'w')"), ("shell", f"touch {touched}")):
        task = {"image": "x", "script": {language: text}}
        assert lint(document("d", json.dumps({"tasks": {"a": task}})))[0] == 0
    assert not touched.exists()


@pytest.mark.parametrize(
    "text", ["(" * 50_000, "-" * 50_000 + "1", "x" + ".x" * 40_000, "x" + "()" * 40_000, "9" * 90_000]
)
def test_a_program_that_strains_the_compiler_is_refused(text: str) -> None:
    assert script_check.python_fault(text) is not None


def test_a_shell_program_is_refused_only_if_no_shell_can_read_it() -> None:
    if not script_check._shells():
        pytest.skip("no shell here")
    assert script_check.shell_fault("for x in 1 2; do echo $x; done") is None
    assert script_check.shell_fault("if true; then").line == 1  # type: ignore[union-attr]
    if len(script_check._shells()) == 2:
        assert script_check.shell_fault("a=(1 2); echo ${a[0]}") is None


# Failures in every run.

MOUNT: dict[str, Any] = {"name": "v", "mountPath": "/v", "subPath": "a/../../b"}
ITEMS: dict[str, Any] = {"secretName": "s", "items": [{"key": "k", "path": "/etc"}]}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"image": "x", "timeout": "0s"}, "timeout: '0s' is too short; write at least 1s"),
        ({"image": "x", "gracePeriod": "500ms"}, "gracePeriod: '500ms' is too short; write at least 1s"),
        (
            {"image": "x", "podTemplate": {"spec": {"activeDeadlineSeconds": 2**31}}},
            "podTemplate.spec.activeDeadlineSeconds: 2147483648 is out of bounds; write 1 to 2147483647",
        ),
        (
            {"image": "x", "podTemplate": {"spec": {"containers": [{"name": "main", "volumeMounts": [MOUNT]}]}}},
            "podTemplate.spec.containers[0].volumeMounts[0].subPath: 'a/../../b' leads out of the volume; write a path without ..",
        ),
        (
            {"image": "x", "podTemplate": {"spec": {"volumes": [{"name": "v", "secret": ITEMS}]}}},
            "podTemplate.spec.volumes[0].secret.items[0].path: '/etc' begins with /; write a path within the volume",
        ),
        (
            {
                "image": "x",
                "podTemplate": {
                    "spec": {
                        "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"items": ITEMS["items"]}}]}}]
                    }
                },
            },
            "volumes[0].projected.sources[0].configMap.items[0].path: '/etc' begins with /; write a path within the volume",
        ),
        (
            {"image": "x", "resources": {"limits": {"memory": "1GB"}}},
            "limits.memory: '1GB' is not a quantity; write 1Gi or 1G",
        ),
        ({"image": "x", "resources": {"limits": {"mem": "1Gi"}}}, "limits.mem: no such resource; did you mean memory?"),
        ({"image": "x", "env": {"A=B": "c"}}, "env.A=B: 'A=B' can't be a variable; use letters, digits and '_'"),
        (
            {"http": {"url": "example.com/x"}},
            "http.url: 'example.com/x' is not an address: it doesn't begin with http://",
        ),
        (
            {"http": {"url": "http://h:99999/"}},
            "http.url: 'http://h:99999/' is not an address: its host or port is malformed",
        ),
        (
            {"http": {"url": "https://h", "headers": {"A": "b\nc"}}},
            "http.headers.A: a line break in a header; write the value",
        ),
        ({"compute": {"x": "run.attempt / 0"}}, "compute.x: `run.attempt / 0`: divide by zero; write another divisor"),
        ({"compute": {"x": "run.name.matches('[')"}}, "'[' is not a regular expression that can be used"),
        ({"compute": {"x": "duration('2 days')"}}, "'2 days' is not a duration; write one such as 90s, 1h30m or 2d"),
    ],
)
def test_what_would_fail_in_every_run_is_refused(task: dict[str, Any], words: str) -> None:
    assert [words in problem for problem in one(**task)] == [True]


def test_a_duration_that_is_too_long_is_called_so() -> None:
    said = wrong(params={"keep": {"type": "duration", "default": "4000d"}}, tasks={"a": {"image": "x"}})
    assert said == ["spec.params.keep.default: '4000d' is longer than ten years; write at most 3650d"]


@pytest.mark.parametrize(
    "body", ['{"n": %s}' % ("[" * 400 + "]" * 400), '{"n": 18446744073709551616}', '{"n": "\\ud800"}']
)
def test_an_event_that_can_not_be_stored_is_refused_for_good(body: str) -> None:
    with pytest.raises(event.Unreadable):
        event.read({"content-type": "application/json"}, body.encode())


def test_hints_name_what_to_write() -> None:
    assert one(compute={}) == ['spec.tasks.a.compute: empty; write at least one output, such as {done: "true"}']
    tasks = {"a": {"image": "x"}, "b": {"image": "x", "dependsOn": ["a"], "triggerRule": "a.Succeeded"}}
    assert wrong(tasks=tasks)[0].endswith("; write Succeeded(a)")
    tasks["b"]["triggerRule"] = "all_success"
    assert "did you mean AllSucceeded?" in wrong(tasks=tasks)[0]
    _, _, notes = lint(document("d", f"{{params: {{p: {{default: null}}}}, tasks: {STEP}}}"))
    assert notes == [
        "spec.params.p.default: null is not a default: every run must give the param; write a value, or remove it"
    ]


# Messages of other commands.


def test_a_pool_of_the_other_kind_is_pointed_at() -> None:
    book = PoolBook(lambda run: None, lambda pool: None)
    book.capacity["ClusterPool", "", "gpu"] = 2
    said = book.why([PoolClaim(name="gpu")], "ns")
    assert said == (
        "PoolNotFound",
        "there is no Pool 'gpu' in namespace ns: there is a ClusterPool of this name; write kind: ClusterPool",
    )
    assert "create it" in book.why([PoolClaim(name="cpu")], "ns")[1]


def test_an_answer_to_no_question_is_called_so() -> None:
    asked = {"reason": Param()}
    assert unfit(asked, {"reason": "x", "resaon": "x"}) == [
        "--answer resaon: no such question; did you mean reason? asked are: reason"
    ]


# Everything at once.


def test_no_mistake_hides_another() -> None:
    said = wrong(
        parallelism="2",
        params={"who": {"type": "strin"}},
        tasks={
            "a": {"image": "x", "retries": 3, "when": "1 +"},
            "b": {"image": "x", "dependsOn": ["c"], "script": {"shell": "echo $[[ x ]]"}},
            "c": {"image": "x", "dependsOn": ["b", "zz"], "resources": {"limits": {"cpu": "two"}}},
            "d": {"image": "x", "podTemplate": {"spec": {"volume": []}}},
        },
    )
    fields = {problem.partition(": ")[0] for problem in said}
    assert fields == {
        "spec.parallelism",
        "spec.params.who.type",
        "spec.tasks.a.retries",
        "spec.tasks.a.when",
        "spec.tasks.b.dependsOn",
        "spec.tasks.b.script.shell",
        "spec.tasks.c.dependsOn[1]",
        "spec.tasks.c.resources.limits.cpu",
        "spec.tasks.d.podTemplate.spec.volume",
    }


def test_what_follows_from_a_mistake_is_not_told() -> None:
    assert wrong(
        defaults={"imge": "x"}, tasks={"a": {}, "b": {"dependOn": ["a"], "when": "tasks.a.outputs.x > 1"}}
    ) == [
        "spec.defaults.imge: unknown field; did you mean image?",
        "spec.tasks.b.dependOn: unknown field; did you mean dependsOn?",
    ]
