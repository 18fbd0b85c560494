"""`tradewind doctor --bundle`: what is needed to help, and no value of a user."""

import json
import tarfile
from pathlib import Path

import pytest
from scene import scene
from tradewind import API_VERSION
from tradewind.cli.doctor.redact import HIDDEN, body, text
from tradewind.kube.resources import DAGS, RUNS, SECRETS, TRIGGERS

CANARY = "c4n4ry"


def read(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {entry.name.partition("/")[2]: archive.extractfile(entry) for entry in archive}
        return {name: file.read().decode() for name, file in files.items() if file}


async def test_a_bundle_has_shapes_and_states_and_no_values(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        http = {
            "url": f"https://u:{CANARY}@x.example/{CANARY}?token={CANARY}",
            "headers": {"Authorization": f"Bearer {CANARY}"},
            "body": CANARY,
        }
        tasks = {
            "a": {
                "env": {"TOKEN": CANARY},
                "script": {"shell": f"curl -u x:{CANARY}"},
                "podTemplate": {"metadata": {"annotations": {"x": CANARY}}},
            },
            "b": {"http": http},
            "c": {"args": [CANARY], "command": [CANARY]},
        }
        spec = {
            "defaults": {"image": "busybox"},
            "params": {"key": {"type": "string", "default": CANARY}},
            "tasks": tasks,
        }
        meta = {"name": "leaky", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}}
        await here.client.create(
            DAGS, "default", {"apiVersion": API_VERSION, "kind": "DAG", "metadata": meta, "spec": spec}
        )
        run = {"metadata": {"name": "leaky-1"}, "spec": {"dag": "leaky", "params": {"key": CANARY}}}
        await here.client.create(RUNS, "default", {"apiVersion": API_VERSION, "kind": "DAGRun", **run})
        status = {"phase": "Failed", "outputs": {"a": {"key": CANARY}}, "message": f"HTTP 401 for password={CANARY}"}
        await here.client.patch(RUNS, "default", "leaky-1", {"status": status}, "status")
        sensor = {"http": http, "interval": "1h"}
        trigger = {"metadata": {"name": "t"}, "spec": {"dag": "leaky", "params": {"key": CANARY}, "sensor": sensor}}
        await here.client.create(TRIGGERS, "default", {"apiVersion": API_VERSION, "kind": "Trigger", **trigger})
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": CANARY}}
        await here.client.create(SECRETS, "default", secret)
        path = tmp_path / "bundle.tar.gz"
        process = await here.start("doctor", "--bundle", str(path))
        out, told = await process.communicate()
        assert b"look into it" in told, told
        files = read(path)
        assert {"doctor.json", "versions.json", "objects/dags.json", "objects/dagruns.json", "notes.txt"} <= set(files)
        assert not [name for name in files if "secret" in name or "configmap" in name]
        assert not [name for name, data in files.items() if CANARY in data]
        assert CANARY.encode() not in out + told
        assert path.stat().st_mode & 0o077 == 0, "for its owner only"
        [dag] = json.loads(files["objects/dags.json"])
        assert dag["spec"]["tasks"]["a"]["env"] == {"TOKEN": HIDDEN} and dag["spec"]["defaults"] == {"image": "busybox"}
        [found] = json.loads(files["objects/dagruns.json"])
        assert found["status"]["phase"] == "Failed" and found["status"]["message"].startswith("HTTP 401 for password=")


async def test_a_bundle_that_can_t_be_written_is_said(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        process = await here.start("doctor", "--bundle", str(tmp_path / "nowhere" / "b.tar.gz"))
        _, told = await process.communicate()
        assert process.returncode == 1 and b"No such file or directory" in told and b"Traceback" not in told


@pytest.mark.parametrize(
    "words",
    [
        f"Authorization: Bearer {CANARY}.x-y_z", f"authorization: basic {CANARY}", f"PASSWORD={CANARY}", f"my_secret: {CANARY}",
        f"GET https://ada:{CANARY}@host/path", f"https://host/path?sig={CANARY}&x=1", f"api_key = {CANARY}",
    ],
)  # fmt: skip
def test_credentials_in_texts_are_hidden(words: str) -> None:
    assert CANARY not in text(words) and HIDDEN in text(words)


def test_texts_without_credentials_are_left_alone() -> None:
    words = "run ns/r: 409 Conflict: the object has been modified; https://host/path"
    assert text(words) == words


def test_an_address_that_is_none_is_hidden() -> None:
    assert body({"url": "http://[x"}) == {"url": HIDDEN} and body({"url": "$[[ params.url ]]"}) == {"url": HIDDEN}
