"""Any bytes in a file are manifests or errors that name their place; never a traceback, and nothing that takes long or
much memory."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tradewind import API_VERSION
from tradewind.cli import lint
from tradewind.cli.manifests.document import BadManifest
from tradewind.cli.manifests.reader import parse

from fuzz.garbage import JSON, nearly, tries
from fuzz.targets import linted, manifest

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\n"
LAUGHS = "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}' if level else 'ha'] * 9)}]\n" for level in range(12)
)
CHAIN = "".join(f"a{level}: &a{level} [{f'*a{level - 1}' if level else 'x'}]\n" for level in range(5_000))
SAID = [
    ("[" * 100_000, "more than 200 levels deep"),
    ("- " * 100_000, "more than 200 levels deep"),
    ("? " * 100_000, "more than 200 levels deep"),
    ("{a: " * 1_000 + "1" + "}" * 1_000, "more than 200 levels deep"),
    (CHAIN, "more than 200 levels deep, with its aliases followed"),
    (LAUGHS, "more than 1,000,000 values, with its aliases followed"),
    ("a: &a {b: *a}", "an alias inside the value that it refers to"),
    ("? [a]\n: 1", "a key is a text here"),
    ("? {a: b}\n: 1", "a key is a text here"),
    ("a: " + "9" * 5_000, "a number of 5000 characters"),
    ("a: 0x" + "f" * 5_000, "a number of 5002 characters"),
    ("a: 9223372036854775808", "an integer of more than 64 bits"),
    ("a: .nan", "is not a number in JSON"),
    ("a: 1.0e+999", "is not a number in JSON"),
    ("a: !!int x", "no value of the type int"),
    ("a: !!bool x", "no value of the type bool"),
    ("a: !!binary aGVsbG8=", "none of JSON's"),
    ("a: !!set {b, c}", "none of JSON's"),
    ("a: !!omap [b: 1]", "none of JSON's"),
    ("a: !!python/object:os.system x", "not YAML: a tag that no manifest has"),
    ('a: "\\ud800"', "half of a surrogate pair"),
    ('a: "\\U7fffffff"', "not YAML: an escape of a character that doesn't exist"),
    ("a: \0", "not YAML: a control character; remove it"),
    ("a: 1\na: 2", "'a' is there twice"),
    ("x" * 10_000_000, "10.0 MB; a Kubernetes object has at most 1.5 MB"),
]


@pytest.mark.parametrize(("text", "words"), SAID, ids=[words for _, words in SAID])
def test_what_yaml_can_say_and_no_object_can_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(BadManifest, match=r"f\.yaml:(\d+:)? ") as caught:
        parse(str(path))
    assert words in str(caught.value)


def test_no_more_of_a_file_is_read_than_could_be_used() -> None:
    with pytest.raises(BadManifest, match=r"over 1\.5 MB|0\.0 MB"):
        parse("/dev/zero")


@tries(400)
@given(st.binary(max_size=400))
def test_any_bytes_are_manifests_or_an_error(data: bytes) -> None:
    manifest(data)


@tries(400)
@given(st.lists(st.sampled_from(["\n", " ", "  ", "- ", "a", ": ", "[", "]", "{", "}", "&a ", "*a", "? ", "!!int ", "|", ">", "'", '"', "#", "---\n", "%", "<<: ", "\t", "1", "\\", "é", HEAD, "spec: ", "tasks: ", "!!set ", "~"]), max_size=40))  # fmt: skip
def test_any_words_of_yaml_are_manifests_or_an_error(words: list[str]) -> None:
    manifest("".join(words).encode())


@tries(40)
@given(st.data())
@pytest.mark.parametrize(
    "kind", ["DAG", "DAGRun", "Trigger", "Backfill", "Pool", "Approval", "TaskTemplate", "DAGTemplate"]
)
def test_objects_that_are_nearly_right_are_told_what_is_wrong(kind: str, data: st.DataObject) -> None:
    spec = data.draw(nearly(kind, "spec"))
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "d"}, "spec": spec}
    manifest(yaml.safe_dump(body, allow_unicode=True).encode())


@tries(200)
@given(metadata=JSON, spec=JSON, more=st.dictionaries(st.text(max_size=6), JSON, max_size=2))
def test_objects_of_any_shape_are_told_what_is_wrong(metadata: Any, spec: Any, more: Any) -> None:
    body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": metadata, "spec": spec, **more}
    manifest(json.dumps(body).encode())


def test_every_problem_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(HEAD + "spec: {'tasks.x[²]': 1, tasks: {a: {image: x, '[²]': 2}}}")
    found = linted(path)
    assert found and all(problem["line"] == 4 for problem in found)


def test_a_large_dag_is_well_within_the_bounds() -> None:
    tasks = "".join(f"    t{n}: {{image: x, command: [a, b], dependsOn: [t{n - 1}]}}\n" for n in range(1, 10_000))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(HEAD + "spec:\n  tasks:\n    t0: {image: x}\n" + tasks)
        file.flush()
        result = CliRunner().invoke(lint.command, [file.name])
    assert result.exit_code == 0, result.output[:500]
