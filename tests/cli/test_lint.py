"""`tradewind lint`: all mistakes of all files, with their places, without a cluster."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tradewind.cli.lint import command
from tradewind.cli.manifests import validation

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n"


def lint(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=input)


def document(kind: str, name: str, spec: str) -> str:
    return HEAD.format(kind=kind, name=name) + f"spec: {spec}\n"


def test_all_examples_are_without_mistakes() -> None:
    done = lint(EXAMPLES)
    assert done.exit_code == 0 and done.stdout == "" and "nothing is wrong" in done.stderr


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (document("DAG", "d", "{tasks: {a: {image: x, colour: red}}}"), "4:30", "spec.tasks.a.colour: unknown field"),
        (document("DAG", "d", "{tasks: {a: {image: x, dependsOn: [a]}}}"), "4:30", "spec.tasks.a.dependsOn"),
        (document("DAG", "d", "{tasks: {a: {image: x, when: 'params.n'}}}"), "4:30", "there is no params.n"),
        (
            document("DAG", "d", "{tasks: {a: {image: x, podTemplate: {spec: {contaners: []}}}}}"),
            "4:51",
            "spec.tasks.a.podTemplate.spec.contaners: a pod has no such field",
        ),
        (
            document("DAG", "No_Name", "{tasks: {a: {image: x}}}"),
            "3:12",
            "metadata.name: 'No_Name' is not a name; use lower-case",
        ),
        (document("DAG", "n" * 64, "{tasks: {a: {image: x}}}"), "3:12", "64 characters; use at most 63"),
        (
            document("DAG", "a.b", "{tasks: {a: {image: x}}}"),
            "3:12",
            "metadata.name: 'a.b' would be local DAG b of DAG a",
        ),
        (document("DAGRun", "r", "{}"), "4:1", "spec.dag: required"),
        (
            document("Pool", "p", "{slots: many}"),
            "4:8",
            "spec.slots: 'many' is not a whole number; write one such as 3",
        ),
        (document("ClusterPool", "p", "{slots: 1}") + "specs: {}\n", "5:1", "specs: unknown field"),
        (document("Trigger", "t", "{dag: d}"), "4:1", "spec: write one of schedule, "),
        (
            document("Trigger", "t", "{dag: d, schedule: {every: 1h, cron: '@daily'}}"),
            "4:16",
            "write one of cron, every",
        ),
        (document("Backfill", "b", "{dag: d, start: 2026-05-01}"), "4:1", "write either trigger or cron"),
        (
            document("Backfill", "b", "{dag: d, cron: '61 * * * *', start: 2026-05-01}"),
            "4:16",
            "spec.cron: '61 * * * *'",
        ),
        (document("DAG", "d", "{tasks: {a: {wait: {duration: 999999999d}}}}"), "4:27", "longer than ten years"),
        (document("DAG", "d", "{tasks: {a: {image: x, timeout: 4000d}}}"), "4:30", "write at most 3650d"),
        (
            document("Trigger", "t", "{dag: d, schedule: {cron: '@daily', jitter: 999999999d}}"),
            "4:43",
            "longer than ten years",
        ),
        (
            document("Trigger", "t", "{dag: d, schedule: {cron: '@daily', startingDeadline: 999999999d}}"),
            "4:43",
            "longer than ten years",
        ),
        (
            document("Trigger", "t", "{dag: d, schedule: {cron: '@daily', start: '0001-01-01T00:00+14:00'}}"),
            "4:43",
            "is in none of the years 1970 to 9000",
        ),
        (document("DAGRun", "r", "{dag: d, logicalDate: '9999-12-31T23:59:59-12:00'}"), "4:16", "1970 to 9000"),
        (document("DAGRun", "r", f"{{dag: d, params: {{a: {'x' * 300_000}}}}}"), "4:16", "takes 256 KiB"),
        (
            document("DAG", "d", f"{{params: {{a: {{default: {'x' * 300_000}}}}}, tasks: {{a: {{image: x}}}}}}"),
            "4:8",
            "takes 256 KiB",
        ),
        (document("DAG", "d", f"{{params: {{a: {{default: {'[' * 100}{']' * 100}}}}}}}"), "4:37", "64 levels deep"),
        (document("DAGG", "d", "{}"), "2:1", "kind: 'DAGG' is not known; did you mean DAG?"),
        ("kind: DAG\nmetadata: [x]\n", "1:1", "apiVersion: required; write tradewind.dev/v1alpha1"),
        ("a: 1\n b: 2", "2:3", "not YAML"),
        ("a: 1\na: 2", "2:1", "'a' is there twice"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(tmp_path: Path, text: str, place: str, words: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    done = lint(path)
    assert done.exit_code == 1 and done.stdout.startswith(f"{path}:{place}: ") and words in done.stdout


def test_a_schedule_that_never_ticks_is_no_fault_of_lint() -> None:
    never = "{dag: d, schedule: {cron: '0 0 29 2 *', exclude: [{weekdays: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]}]}}"
    assert lint("-", input=document("Trigger", "t", never)).exit_code == 0


def test_a_check_that_breaks_is_said_of_its_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: str, spec: object) -> None:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(validation, "reviewed", broken)
    (tmp_path / "pool.yaml").write_text(document("Pool", "p", "{slots: 1}"))
    (tmp_path / "wrong.yaml").write_text(document("DAG", "d", "{}"))
    done = lint(tmp_path)
    assert done.exit_code == 1 and not isinstance(done.exception, OverflowError)
    assert "can't be checked" in done.stdout and "OverflowError" in done.stdout and "spec.tasks" in done.stdout


def test_the_params_of_a_run_are_checked_against_a_dag_that_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(document("DAG", "d", "{params: {n: {type: integer}}, tasks: {a: {image: x}}}"))
    (tmp_path / "run.yaml").write_text(document("DAGRun", "r", "{dag: d, params: {n: many}}"))
    (tmp_path / "other.yaml").write_text(document("DAGRun", "r", "{dag: elsewhere, params: {n: many}}"))
    done = lint(tmp_path)
    assert done.exit_code == 1 and len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(f"{tmp_path / 'run.yaml'}:4:25: spec.params.n")


def test_the_params_of_a_backfill_are_checked_but_for_what_its_trigger_may_give(tmp_path: Path) -> None:
    params = "{n: {type: integer}, m: {type: string}}"
    (tmp_path / "dag.yaml").write_text(document("DAG", "d", f"{{params: {params}, tasks: {{a: {{image: x}}}}}}"))
    spec = "{dag: d, trigger: t, start: 2026-05-01, params: {n: 1, o: 2}}"
    (tmp_path / "b.yaml").write_text(document("Backfill", "b", spec))
    done = lint(tmp_path)
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        "spec.params.o: no such param; DAG d declares: m, n"
    ]


def test_every_file_is_looked_at_and_programs_get_json(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.yaml").write_text("a: [1")
    (tmp_path / "inner" / "b.yml").write_text(document("DAG", "d", "{}") + "---\n" + document("Pool", "p", "{}"))
    (tmp_path / "notes.txt").write_text("not: [a manifest")
    done = lint("-o", "json", tmp_path, tmp_path / "none.yaml")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["manifests"] == 2
    files = [(Path(item["file"]).name, item["line"] > 0) for item in told["problems"]]
    assert files == [("a.yaml", True), ("b.yml", True), ("b.yml", True), ("none.yaml", False)]


def test_objects_of_others_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n- 1\n")
    done = lint(tmp_path)
    assert done.exit_code == 1 and "no manifests of Tradewind found" in done.stderr
    (tmp_path / "dag.yaml").write_text(document("DAG", "d", "{tasks: {a: {image: x}}}"))
    assert lint(tmp_path).exit_code == 0


def test_standard_input_is_a_file_too() -> None:
    done = lint("-", input=document("DAG", "d", "{tasks: {}}"))
    assert done.exit_code == 1 and done.stdout.startswith("-:4:8: spec.tasks")


def of(namespace: str, text: str) -> str:
    return text.replace("metadata: {", f"metadata: {{namespace: {namespace}, ")


@pytest.mark.parametrize(
    ("namespace", "allow", "refused"),
    [
        ("a", "{namespaces: [a]}", False),
        ("b", "{namespaces: [a]}", True),
        ("b", "{namespaceSelector: {matchLabels: {x: z}}}", False),
        ("", "{namespaces: [a]}", False),
    ],
)
def test_a_claim_is_refused_that_a_cluster_pool_beside_it_does_not_allow(
    namespace: str, allow: str, refused: bool
) -> None:
    dag = document("DAG", "d", "{tasks: {t: {image: x, pools: [{kind: ClusterPool, name: lic}]}}}")
    pool = document("ClusterPool", "lic", f"{{slots: 1, allow: {allow}}}")
    done = lint("-", input=f"{of(namespace, dag) if namespace else dag}---\n{pool}")
    words = "spec.tasks.t.pools[0].name: ClusterPool 'lic' takes no claims of namespace b"
    assert (done.exit_code == 1 and words in done.stdout) if refused else done.exit_code == 0


def circling(**when: str) -> str:
    """Two DAGs whose triggers lead to each other."""
    more = "".join(f", {name}: {text}" for name, text in when.items())
    parts = [
        document("DAG", "load", "{tasks: {t: {image: x, produces: [{name: orders}]}}}"),
        document("DAG", "clean", "{tasks: {t: {image: x}}}"),
        document("Trigger", "after-orders", "{dag: clean, assets: {anyOf: [{name: orders}]}}"),
        document("Trigger", "after-clean", f"{{dag: load, completed: {{dags: [{{name: clean}}]}}{more}}}"),
    ]
    return "---\n".join(parts)


def test_triggers_that_lead_to_each_other_in_a_circle_are_told_once() -> None:
    done = lint("-", input=circling())
    words = "DAG clean -> its end, trigger after-clean -> DAG load -> asset orders, trigger after-orders -> DAG clean"
    assert done.exit_code == 1 and done.stdout.count(words) == 1 and "in a cycle" in done.stdout


def test_a_circle_that_a_condition_may_end_is_no_mistake() -> None:
    done = lint("-", input=circling(when="source.outcome == 'Failed'"))
    assert done.exit_code == 0 and "in a cycle" in done.output


def calling(dag: str, *tasks: str) -> str:
    return document("DAG", dag, f"{{tasks: {{{', '.join(tasks)}}}}}")


def test_dags_that_run_each_other_in_a_circle_are_told_once() -> None:
    parts = [
        calling("outer", "t: {dag: {name: a1}}", "u: {dag: {name: b1}}"),
        calling("a1", "s: {image: x}", "t: {dependsOn: [s], dag: {name: b1}}"),
        calling("b1", "u: {dag: {name: a1}}", "v: {dag: {name: a1}}"),
    ]
    done = lint("-", input="---\n".join(parts))
    assert done.exit_code == 1 and done.stdout.count("in a circle") == 1
    assert "DAGs run each other in a circle: a1 -> b1 -> a1; break it, or let a `when` end it" in done.stdout
    assert "spec.tasks.u.dag.name" in done.stdout or "spec.tasks.v.dag.name" in done.stdout


@pytest.mark.parametrize(
    "ends",
    [
        "t: {dag: {name: b1}, when: params.n > 0}",
        "s: {compute: {n: '1'}, when: params.n > 0}, t: {dependsOn: [s], dag: {name: b1}}",
        "t: {dag: {name: b1}, forEach: {items: '$[[ [params.n].filter(n, n > 0) ]]'}}",
        "s: {image: x}, t: {dependsOn: [s], dag: {name: b1}, triggerRule: OneFailed}",
        "s: {approval: {}}, t: {dependsOn: [s], dag: {name: b1}}",
    ],
)
def test_a_circle_of_calls_that_ends_is_no_mistake(ends: str) -> None:
    first = document("DAG", "a1", f"{{params: {{n: {{type: integer, default: 1}}}}, tasks: {{{ends}}}}}")
    done = lint("-", input=f"{first}---\n{calling('b1', 'u: {dag: {name: a1}}')}")
    assert done.exit_code == 0, done.output


def test_a_dag_that_only_runs_itself_is_told() -> None:
    done = lint("-", input=calling("a1", "t: {dag: {name: a1}}"))
    assert done.exit_code == 1 and "in a circle: a1 -> a1" in done.stdout


def test_dags_that_call_each_other_are_checked_through_local_ones(tmp_path: Path) -> None:
    inner = "{params: {n: {type: integer}}, outputs: {x: tasks.a.outputs.x}, tasks: {a: {compute: {x: params.n}}}}"
    call = "{dag: {name: inner, params: {m: 1}}, outputs: {y: {}}}"
    outer = f"{{tasks: {{go: {{dag: {{local: part}}}}}}, dags: {{part: {{tasks: {{call: {call}}}}}}}}}"
    done = lint("-", input=document("DAG", "inner", inner) + "---\n" + document("DAG", "outer", outer))
    assert "spec.dags.part.tasks.call.dag.params.m: no such param" in done.stdout
    assert "spec.dags.part.tasks.call.outputs.y: DAG inner has no output 'y'" in done.stdout
    ring = "{tasks: {go: {dag: {local: part}}}, dags: {part: {tasks: {back: {dag: {name: ring}}}}}}"
    done = lint("-", input=document("DAG", "ring", ring))
    assert "spec.dags.part.tasks.back.dag.name: DAGs run each other in a circle: ring -> ring" in done.stdout
