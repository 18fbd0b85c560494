"""`tradewind history` and `--data`: what a session recorded, read after it."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from recorder.bodies import raw
from recorder.fakecluster import cluster
from recorder.logs.test_shelf import attempt, put
from tradewind.recorder.folder import HISTORY
from tradewind.recorder.logs.shelf import Shelf
from tradewind.recorder.record import record_of
from tradewind.recorder.store.database import SQLite
from tradewind.recorder.store.migration import migrate
from tradewind.recorder.store.writing import Batch, Place, write

from cli.test_commands import HEAD, tradewind


def store(folder: Path, *bodies: bytes, uid: str = "n") -> None:
    database = SQLite(folder / "data" / HISTORY)
    migrate(database)
    write(database, Batch([(Place("c", uid, 0), record_of(item)) for item in bodies]))
    database.close()


def history(folder: Path, *arguments: str) -> Any:
    done = tradewind("history", *arguments, "--data", "data", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_on_this_machine_is_recorded_and_shown_after_it(tmp_path: Path) -> None:
    tasks = "  tasks: {a: {script: {shell: 'exit 3'}}, b: {compute: {x: '1'}}}\n"
    (tmp_path / "d.yaml").write_text(HEAD + tasks)
    assert tradewind("run", "-q", "-f", "d.yaml", "--name", "d-1", "--data", "data", cwd=tmp_path).returncode == 1
    assert tradewind("run", "-q", "-f", "d.yaml", "--name", "d-2", "--data", "data", cwd=tmp_path).returncode == 1
    listed = json.loads(history(tmp_path, "list", "d", "--phase", "Failed", "-o", "json"))
    assert [run["name"] for run in listed] == ["d-2", "d-1"]
    shown = history(tmp_path, "show", "d-1")
    assert "Failed" in shown and "Error (exit code 3)" in shown
    found = json.loads(history(tmp_path, "show", "d-1", "-o", "json"))
    assert found["object"]["kind"] == "DAGRun" and {task["task"] for task in found["tasks"]} == {"a", "b"}


def test_logs_of_a_run_on_this_machine_outlive_it(tmp_path: Path) -> None:
    tasks = "  tasks: {a: {script: {shell: 'echo hello; echo -n end; exit 3'}}, b: {script: {shell: 'echo b'}}}\n"
    (tmp_path / "d.yaml").write_text(HEAD + tasks)
    tradewind("run", "-q", "-f", "d.yaml", "--name", "d-1", "--data", "data", cwd=tmp_path)
    shown = tradewind("logs", "d-1", "--data", "data", cwd=tmp_path).stdout
    assert {"a | hello", "a | end", "b | b"} <= set(shown.splitlines())
    assert tradewind("logs", "d-1", "a", "--tail", "1", "--data", "data", cwd=tmp_path).stdout == "end\n"
    none = tradewind("logs", "d-1", "c", "--data", "data", cwd=tmp_path)
    assert none.returncode == 1 and "task c of run d-1 has no recorded logs" in none.stderr
    assert "no run d-2 is on record" in tradewind("logs", "d-2", "--data", "data", cwd=tmp_path).stderr


def test_exports_have_a_line_a_run_or_a_task(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1"), raw("r-2", phase="Failed", status={"message": "=cmd|' /C calc'!A0, \"x\"\n2"}))
    lines = [json.loads(line) for line in history(tmp_path, "export", "--tasks").splitlines()]
    assert [line["name"] for line in lines] == ["r-2", "r-1"] and lines[0]["tasks"][0]["exitCode"] == 3
    table = list(csv.DictReader(io.StringIO(history(tmp_path, "export", "--format", "csv"))))
    assert [row["name"] for row in table] == ["r-2", "r-1"] and table[0]["message"].startswith("'=cmd|")
    table = list(csv.DictReader(io.StringIO(history(tmp_path, "export", "etl", "--format", "csv", "--tasks"))))
    assert [(row["name"], row["task"], row["state"]) for row in table] == [
        ("r-2", "a", "Failed"),
        ("r-1", "a", "Succeeded"),
    ]


def test_purged_runs_are_listed_first_if_asked_and_then_gone(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1"), raw("r-2"), raw("new", status={"finishedAt": "2100-01-01T00:00:00Z"}))
    assert "shop/r-1" in history(tmp_path, "purge", "--older-than", "30d", "--dry-run")
    assert len(json.loads(history(tmp_path, "list", "-o", "json"))) == 3
    assert "2 runs deleted" in history(tmp_path, "purge", "--older-than", "30d", "--yes")
    assert "1 run deleted" in history(tmp_path, "purge", "new", "--yes")
    assert json.loads(history(tmp_path, "list", "-o", "json")) == []
    nothing = tradewind("history", "purge", "--older-than", "30d", "--yes", "--data", "data", cwd=tmp_path)
    assert nothing.returncode == 0 and "no such run is on record" in nothing.stderr, "as a nightly job would have it"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list"], "has no history.db: name the folder that `tradewind dev --data`"),
        (["purge"], "name a run, or select runs by --dag or --older-than"),
        (["list", "--since", "yesterday"], "--since"),
        (["list", "--phase", "faild"], "not one of 'cancelled', 'failed', 'queued', 'running', 'succeeded'"),
        (["export", "--objects", "--format", "csv"], "--objects: a DAGRun is no line of CSV"),
    ],
)
def test_what_can_t_be_read_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    if arguments != ["list"]:
        store(tmp_path)
    done = tradewind("history", *arguments, "--data", "data", cwd=tmp_path)
    assert done.returncode and words in done.stderr and "Traceback" not in done.stderr


def test_phases_are_read_in_any_case(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1", status={"phase": "Failed"}), raw("r-2", status={"phase": "Succeeded"}))
    assert json.loads(history(tmp_path, "list", "--phase", "failed", "-o", "json"))[0]["name"] == "r-1"


def test_a_session_on_this_machine_says_where_its_history_is(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(HEAD + "  tasks: {b: {compute: {x: '1'}}}\n")
    done = tradewind("run", "-f", "d.yaml", "--data", "my data", cwd=tmp_path)
    assert "history: tradewind history list --data 'my data'" in done.stdout, done.stderr
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    (tmp_path / "dev").write_text(yaml.safe_dump(config))
    done = tradewind("history", "list", cwd=tmp_path, KUBECONFIG=str(tmp_path / "dev"))
    assert done.returncode == 1 and "`tradewind dev` has no recorder: start it with --data DIR" in done.stderr
    done = tradewind("history", "list", cwd=tmp_path, KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert done.returncode == 1 and "--data DIR reads what" in done.stderr


def test_a_folder_that_can_t_be_written_to_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(HEAD + "  tasks: {b: {compute: {x: '1'}}}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / HISTORY).write_text("mine")
    done = tradewind("run", "-f", "d.yaml", "--data", "data", cwd=tmp_path)
    assert done.returncode == 1 and "history.db" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "data" / HISTORY).read_text() == "mine"


def test_what_authors_wrote_reaches_a_terminal_as_text(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1", status={"message": "\x1b]0;owned\x07"}))
    assert "\x1b" not in history(tmp_path, "show", "r-1")


async def remote(folder: Path, user: dict[str, str], *arguments: str, **env: str) -> Any:
    """A command of a user of a cluster, whose recorder has what is in the folder."""
    database = SQLite(folder / "data" / HISTORY)
    async with cluster(database, folder=folder / "data") as fake:
        config = {
            "clusters": [{"name": "c", "cluster": {"server": fake.url}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
            "users": [{"name": "u", "user": user}],
            "current-context": "c",
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        where = {"KUBECONFIG": str(folder / "kubeconfig"), **env}
        done = await asyncio.to_thread(tradewind, *arguments, cwd=folder, **where)
    database.close()
    return done


async def test_a_cluster_s_record_is_read_with_the_user_s_token(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1"), uid="shop-2")
    done = await remote(tmp_path, {"token": "ada"}, "history", "show", "r-1", "-o", "json")
    assert json.loads(done.stdout)["object"]["metadata"]["name"] == "r-1", done.stderr
    done = await remote(tmp_path, {"token": "ada"}, "history", "purge", "r-1", "--yes")
    assert "1 run deleted" in done.stdout
    assert "no such runs are on record" in (await remote(tmp_path, {"token": "ada"}, "history", "list")).stderr


@pytest.mark.parametrize(
    ("user", "arguments", "words"),
    [
        ({"token": "eve"}, ["list"], "you may not list dagruns.tradewind.dev in namespace shop"),
        ({"token": "ada"}, ["list", "-A"], "in all namespaces: name one with -n"),
        ({"token": "ada"}, ["list", "--recorder", "tradewind/other"], "there is no recorder tradewind/other"),
        ({"token": "ada"}, ["list", "--recorder", "other"], "write NAMESPACE/NAME"),
        ({}, ["list"], "your kubeconfig has none"),
    ],
)
async def test_what_a_cluster_refuses_is_told(
    tmp_path: Path, user: dict[str, str], arguments: list[str], words: str
) -> None:
    store(tmp_path, raw("r-1"), uid="shop-2")
    done = await remote(tmp_path, user, "history", *arguments)
    assert done.returncode and words in done.stderr and "Traceback" not in done.stderr


async def test_who_has_a_certificate_brings_a_token(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1"), uid="shop-2")
    done = await remote(tmp_path, {}, "history", "list", TRADEWIND_TOKEN="ada")
    assert "no recorder" in done.stderr, "the proxy itself asks for the kubeconfig's identity"


async def test_logs_of_a_run_without_pods_come_from_the_recorder(tmp_path: Path) -> None:
    store(tmp_path, raw("r-1"), uid="shop-2")
    database = SQLite(tmp_path / "data" / HISTORY)
    put(Shelf(tmp_path / "data", database), b"hello\nend", attempt(run_uid="uid-r-1", namespace_uid="shop-2"))
    database.close()
    done = await remote(tmp_path, {"token": "ada"}, "logs", "r-1")
    assert done.stdout == "load | hello\nload | end\n", done.stderr
    done = await remote(tmp_path, {"token": "eve"}, "logs", "r-1")
    assert done.returncode == 1 and done.stdout == "" and "Not Found" in done.stderr
