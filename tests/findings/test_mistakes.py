"""Mistakes in manifests, and the exact message: the place, what is wrong, and what to write instead."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from control.pod_bodies import pod, terminated
from tradewind.cli.laptop import preflight
from tradewind.cli.lint import command
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.cli.manifests.reader import parse
from tradewind.control.pods.observation import observe
from tradewind.local.process import NotStarted, Process

HERE = Path(__file__).parent
HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: {name: d}\nspec:\n"
DAG = f"{HEAD}  tasks:\n    a: {{image: x}}\n"
FOREIGN = re.compile(
    r"pydantic|validation error|dictionary|instance of|input should|mismatched|<EOF>|jsonschema|None\b|NoneType|True\b"
)
"""Words of libraries, and of Python."""


def _mistakes() -> Iterator[Any]:
    for file in ("mistakes_in_documents.yaml", "mistakes_in_tasks.yaml"):
        for case in yaml.safe_load((HERE / file).read_text()):
            tasks = "".join(f"    {line}\n" for line in case.get("tasks", "").splitlines())
            yield pytest.param(case.get("manifest", f"{HEAD}  tasks:\n{tasks}"), case["says"], id=case["mistake"])


def _lint(path: Path | str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(command, [str(path)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    notes = [line for line in done.stderr.splitlines() if ": note: " in line]
    return done.exit_code, [*done.stdout.splitlines(), *notes]


def _known(line: str) -> str:
    """Tradewind's part of a line: shells and versions of Python word errors in scripts differently."""
    return re.split(r"(?<=not a shell program: )|(?<=not Python: )", line)[0]


@pytest.mark.parametrize(("manifest", "says"), [*_mistakes()])
def test_a_mistake_is_answered_with_what_to_write(tmp_path: Path, manifest: str, says: list[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(manifest)
    code, lines = _lint(path)
    said = [line.removeprefix(f"{path}:").strip() for line in lines]
    assert [_known(line) for line in said] == [_known(line) for line in says]
    assert code == int(any(": note: " not in line for line in says))
    assert not FOREIGN.search("\n".join(lines))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (DAG.replace("\n", "\r\n").encode(), []),
        (b"\xef\xbb\xbf" + DAG.encode(), []),
        (DAG.encode("utf-16"), ["1:1: not UTF-8 (byte 0xff): save the file as UTF-8"]),
        (f"{DAG}# größe\n".encode("latin-1"), ["7:1: not UTF-8 (byte 0xf6): save the file as UTF-8"]),
        (b"\x7fELF\x02\x01\xfe\xff", ["1:1: not UTF-8 (byte 0xfe): save the file as UTF-8"]),
        (DAG.replace("x}", '"x\0"}').encode(), ["6:18: not YAML: a control character; remove it"]),
    ],
    ids=["CRLF", "byte order mark", "UTF-16", "Latin-1", "a program", "a NUL"],
)
def test_any_encoding_is_read_or_named(tmp_path: Path, data: bytes, says: list[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    code, lines = _lint(path)
    assert [line.removeprefix(f"{path}:") for line in lines] == says and code == int(bool(says))


def test_files_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    assert _lint(tmp_path / "none.yaml") == (1, [f"{tmp_path}/none.yaml: No such file or directory"])
    assert _lint(tmp_path) == (1, [f"{tmp_path}: no manifests (*.yaml, *.yml, *.json) in this folder"])
    closed = tmp_path / "closed.yaml"
    closed.write_text(DAG)
    closed.chmod(0)
    if not os.access(closed, os.R_OK):
        assert _lint(closed) == (1, [f"{closed}: Permission denied"])


@pytest.mark.parametrize(
    ("written", "reason", "words"),
    [
        ("x" * 5_000, "OutputTooLarge", "write big results to a volume or an object store and put only their path"),
        (
            "hello",
            "OutputInvalid",
            'but are not JSON (unexpected character, expected a JSON value: line 1 column 1 (char 0)): write e.g. {"rows": 42}',
        ),
        ("[1, 2]", "OutputInvalid", 'must be one JSON object, but are a list: write e.g. {"rows": 42}'),
        ('{"name": "caf\ufffd"}', "OutputInvalid", "which stands for bytes that were no UTF-8"),
    ],
)
def test_outputs_that_can_not_be_handed_on_fail_the_attempt(written: str, reason: str, words: str) -> None:
    ended = observe(pod({"phase": "Succeeded"}, terminated=terminated(0, written)))
    assert ended.attempt.reason == reason and words in ended.message


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (
            "{template: {name: load}}",
            "6:9: spec.tasks.a.template: there is no TaskTemplate 'load' among these manifests; "
            "add it to the manifest, or pass its file with another -f",
        ),
        (
            "{sensor: {sql: {host: db, database: d, secretName: s, query: select 1}}}",
            "6:18: spec.tasks.a.sensor.sql: no driver for PostgreSQL is installed; install tradewind[postgres]",
        ),
    ],
    ids=["a template that is not there", "a sensor without its driver"],
)
def test_what_a_run_on_this_machine_lacks_is_said_before_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, says: str
) -> None:
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    path = tmp_path / "f.yaml"
    path.write_text(f"{HEAD}  tasks:\n    a: {task}\n")
    documents = parse(str(path))
    found = preflight.missing(documents, DocumentSet(documents), "d", {})
    assert [f"{item.line}:{item.column}: {item.message}" for item in found] == [says]


async def test_a_command_that_is_not_on_this_machine_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotStarted) as refused:
        await Process.start(("nonexisting",), {}, str(tmp_path), tmp_path / "log", tmp_path / "message")
    ended = observe(pod({"phase": "Failed"}, terminated=terminated(128, str(refused.value), "StartError")))
    assert ended.message == (
        "command not found: nonexisting; check `command`, or install it: tasks run on this machine, without images"
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.py", b'"""Text."""\nimport os\n'), ("README.md", b"# a: b\n\na: b: c\n"), ("tool", b"\x7fELF\xff")],
)
def test_a_file_of_something_else_is_called_no_manifest(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    code, [line] = _lint(path)
    assert code == 1 and line.startswith(f"{path}: not a manifest: its name") and ".yaml" in line
