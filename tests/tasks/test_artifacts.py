"""The program beside a task: it fetches what it has stored; what it can't do, it reports."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from tradewind.tasks import pack
from tradewind.tasks.artifacts import Problem, bring, keep
from tradewind.tasks.stores import Volume


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume("volume://work/", tmp_path / "volume")


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name / "artifacts"
    made.mkdir(parents=True)
    return made


def item(reference: dict[str, Any], path: str = "in") -> dict[str, Any]:
    return {"name": "model", "path": path, "artifact": reference}


def test_a_file_comes_back_as_it_was(tmp_path: Path, store: Volume) -> None:
    made, given = folder(tmp_path, "a"), folder(tmp_path, "b")
    (made / "model.bin").write_bytes(b"0123456789" * 300_000)
    reference = keep(store, made, "ns/run/a/1", "model", "model.bin")
    assert (reference["uri"], reference["size"], reference["type"]) == (
        "volume://work/ns/run/a/1/model", 3_000_000, "file",
    )  # fmt: skip
    bring(store, given, item(reference, "deep/model.bin"))
    assert (given / "deep/model.bin").read_bytes() == (made / "model.bin").read_bytes()


def test_a_folder_comes_back_with_its_names_and_contents_and_always_as_the_same_bytes(
    tmp_path: Path, store: Volume
) -> None:
    made, given = folder(tmp_path, "a"), folder(tmp_path, "b")
    (made / "out/deep").mkdir(parents=True)
    (made / "out/empty").mkdir()
    (made / "out/deep/ü.txt").write_text("x")
    (made / "out/run.sh").write_text("y")
    (made / "out/run.sh").chmod(0o755)
    reference = keep(store, made, "p", "out", "out")
    os.utime(made / "out/run.sh", (5, 5))
    assert keep(store, made, "p", "out", "out") == reference
    bring(store, given, item(reference))
    found = {path.relative_to(given / "in").as_posix() for path in (given / "in").rglob("*")}
    assert found == {"deep", "deep/ü.txt", "empty", "run.sh"}
    assert (given / "in/run.sh").stat().st_mode & 0o100 and not (given / "in/deep/ü.txt").stat().st_mode & 0o100


def test_what_the_task_did_not_make_is_named(tmp_path: Path, store: Volume) -> None:
    with pytest.raises(Problem, match=r"artifact model: the task made no x/model.bin below") as error:
        keep(store, folder(tmp_path, "a"), "p", "model", "x/model.bin")
    assert error.value.reason == "ArtifactMissing"


@pytest.mark.parametrize("path", ["link", "way/file", "out"])
def test_links_are_refused_wherever_they_are(tmp_path: Path, store: Volume, path: str) -> None:
    """The sidecar may read what the task may not: its own credentials, for example."""
    made, elsewhere = folder(tmp_path, "a"), tmp_path / "secrets"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("secret")
    (made / "link").symlink_to(elsewhere / "file")
    (made / "way").symlink_to(elsewhere)
    (made / "out").mkdir()
    (made / "out/link").symlink_to(elsewhere / "file")
    with pytest.raises(Problem, match="is a symbolic link: copy the file instead"):
        keep(store, made, "p", "model", path)
    assert not list((tmp_path / "volume").rglob("*"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, store: Volume) -> None:
    made = folder(tmp_path, "a")
    os.mkfifo(made / "pipe")
    with pytest.raises(Problem, match="pipe is neither a file nor a folder"):
        keep(store, made, "p", "model", "pipe")


def test_what_is_not_in_the_store_any_more_is_missing(tmp_path: Path, store: Volume) -> None:
    made = folder(tmp_path, "a")
    (made / "m").write_text("x")
    reference = keep(store, made, "p", "model", "m")
    (tmp_path / "volume/p/model").unlink()
    with pytest.raises(Problem, match=r"artifact model \(volume://work/p/model\): there is no such file") as error:
        bring(store, made, item(reference))
    assert error.value.reason == "ArtifactMissing"


@pytest.mark.parametrize("uri", ["s3://other/p/model", "volume://work/../../etc/passwd", "volume://work/%2e%2e/x"])
def test_addresses_outside_the_store_lead_nowhere(tmp_path: Path, store: Volume, uri: str) -> None:
    with pytest.raises(Problem, match="it is not in this DAG's store, volume://work/"):
        bring(store, folder(tmp_path, "a"), item({"uri": uri, "size": 1, "sha256": "", "type": "file"}))


@pytest.mark.parametrize("now", ["xx", "y"])
def test_another_size_or_checksum_is_said_with_both(tmp_path: Path, store: Volume, now: str) -> None:
    made = folder(tmp_path, "a")
    (made / "m").write_text("x")
    reference = keep(store, made, "p", "model", "m")
    (tmp_path / "volume/p/model").write_text(now)
    with pytest.raises(Problem) as error:
        bring(store, made, item(reference))
    assert error.value.reason == "ArtifactMismatch" and not (made / "in").exists()
    for part in ("volume://work/p/model", "1 bytes", f"{len(now)} bytes", reference["sha256"]):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["../out", "/out", "link"])
def test_archives_that_lead_out_of_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(member)
    made.seek(0)
    with pytest.raises(pack.UnsafeArchive, match="neither a file nor a folder below it"):
        pack.unpack(made, tmp_path / "in")


def test_a_volume_that_can_not_be_written_leaves_nothing_half(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = folder(tmp_path, "a")
    (made / "m").write_text("x")
    with pytest.raises(Problem, match="the volume can't be written") as error:
        keep(Volume("volume://work/", tmp_path / "file"), made, "p", "model", "m")
    assert error.value.reason == "ArtifactError"


def test_old_artifacts_expire_with_their_folders_and_others_stay(tmp_path: Path, store: Volume) -> None:
    for path, age in (("dag/run-1/a/1/m", 7200), ("dag/run-2/a/1/m", 0), ("other/run-1/a/1/m", 7200)):
        target = tmp_path / "volume" / path
        target.parent.mkdir(parents=True)
        target.write_text("x")
        os.utime(target, (time.time() - age,) * 2)
    assert store.expire("dag/", 3600) == 1
    left = {path.relative_to(tmp_path / "volume").as_posix() for path in (tmp_path / "volume").rglob("*")}
    assert {"dag/run-2/a/1/m", "other/run-1/a/1/m"} <= left and not any(path.startswith("dag/run-1") for path in left)


def begun(tmp_path: Path, **work: Any) -> "tuple[subprocess.Popen[bytes], Path]":
    message = tmp_path / "message"
    env = {
        **os.environ,
        "TRADEWIND_ARTIFACTS": str(tmp_path / "pod/artifacts"),
        "TRADEWIND_MESSAGE": str(message),
        "TRADEWIND_STORE": json.dumps({"claim": "work", "path": "here"}),
        "TRADEWIND_VOLUME": str(tmp_path / "volume"),
        "TRADEWIND_OUTPUTS_TO_STORE": json.dumps({"prefix": "p", **work}),
    }
    process = subprocess.Popen([sys.executable, "-m", "tradewind.tasks.artifacts", "store"], env=env)
    while not (message.exists() and message.read_text()):
        time.sleep(0.01)
    return process, message


def test_the_sidecar_is_ready_before_the_task_and_stores_when_told_that_it_has_ended(tmp_path: Path) -> None:
    process, message = begun(tmp_path, outputs={"m": "m"})
    assert message.read_text() == "ready"
    (tmp_path / "pod/artifacts/m").write_text("x")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert json.loads(message.read_text())["artifacts"]["m"]["uri"] == "volume://work/here/p/m"
    assert (tmp_path / "volume/here/p/m").read_text() == "x"


def test_the_sidecar_says_why_it_failed(tmp_path: Path) -> None:
    process, message = begun(tmp_path, outputs={"m": "m"})
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 1
    assert json.loads(message.read_text())["reason"] == "ArtifactMissing"
