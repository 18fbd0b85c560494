"""The messages about a file that can't be used."""

from pathlib import Path

import pytest
from tradewind.cli.manifests.document import BadManifest
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.cli.manifests.reader import load

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\n"


def refusal(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "f.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadManifest) as caught:
        documents = load(str(path))
        for document in documents:
            DocumentSet(documents).check(document)
    return str(caught.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [1\nb: 2", "f.yaml:2: not YAML: ] is missing: what begins on line 1 is not closed"),
        ("a: 1\n b: 2", "f.yaml:2: not YAML"),
        ("a: 1\n\tb: 2", "f.yaml:2: not YAML"),
        ("", "f.yaml: empty"),
        (b"kind: \xff", "f.yaml:1: not UTF-8 (byte 0xff)"),
        (b"a: 1\nb: \xc3", "f.yaml:2: not UTF-8"),
        ("- 1", "f.yaml:1: not a manifest: a list"),
        (
            "kind: Pod\napiVersion: v1\nmetadata: {name: x}",
            "f.yaml:1: kind: 'Pod' is not one of DAG, DAGRun, Pool, ClusterPool, Trigger, Backfill, TaskTemplate",
        ),
        (
            "kind: DAG\napiVersion: v1\nmetadata: {name: x}",
            "f.yaml:2: apiVersion: 'v1' is not that of a DAG; write tradewind.dev/v1alpha1",
        ),
        ("kind: DAG\napiVersion: tradewind.dev/v1alpha1\nspec: {}", "metadata.name: required"),
        (HEAD + "spec:\n  tasks:\n    a: {image: x}\n    a: {image: y}", "f.yaml:7: 'a' is there twice"),
        (
            HEAD + "spec:\n  tasks:\n    a:\n      image: x\n      colour: red",
            "f.yaml:8: spec.tasks.a.colour: unknown field",
        ),
        (
            HEAD + "spec:\n  tasks:\n    a:\n      image: x\n      dependsOn:\n        - b",
            "f.yaml:9: spec.tasks.a.dependsOn[0]: there is no task 'b'",
        ),
        (
            HEAD + "spec:\n  tasks:\n    a: {command: [true]}",
            'spec.tasks.a.command[0]: true without quotes is a boolean, not text; write "true"',
        ),
        (HEAD + "spec:\n  tasks:\n    a: {script: {shell: x}}", "f.yaml:6: spec.tasks.a.image: required"),
        (HEAD + "# " + "x" * 2_000_000, "f.yaml: 2.0 MB; a Kubernetes object has at most 1.5 MB"),
    ],
)
def test_each_mistake_is_told_with_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    assert words in refusal(tmp_path, content)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BadManifest, match=r"/nope\.yaml: No such file"):
        load("/nope.yaml")


def test_dates_stay_text_as_in_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(HEAD + "spec: {params: {day: {default: 2026-01-31}}, tasks: {a: {image: x}}}")
    assert load(str(path))[0].body["spec"]["params"]["day"]["default"] == "2026-01-31"
