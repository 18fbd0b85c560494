"""`tradewind doctor --bundle`: everything needed to help, and no user's values."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tradewind import API_VERSION
from tradewind.cli.doctor.redact import HIDDEN, OPEN, body, text
from tradewind.kube.resources import DAGS, RUNS, SECRETS, TRIGGERS
from tradewind.model.crd import manifests

from cli.scene import scene

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
        assert found["status"] == {"phase": "Failed", "outputs": {"a": HIDDEN}, "message": HIDDEN}


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


def test_of_an_address_only_the_host_is_shown() -> None:
    def shown(url: str) -> str:
        found: str = of("DAG", tasks={"a": {"http": {"url": url}}})["spec"]["tasks"]["a"]["http"]["url"]
        return found

    assert shown("http://[x") == shown("$[[ params.url ]]") == shown("c4n4ry") == HIDDEN
    assert shown(f"https://u:{CANARY}@x.example/{CANARY}?a={CANARY}") == f"https://x.example/{HIDDEN}"


def of(kind: str, status: Any = None, **spec: Any) -> Any:
    return body({"apiVersion": API_VERSION, "kind": kind, "spec": spec, "status": status or {}})


NAMES = {"name", "task", "revision", "latestRun", "image", "serviceAccountName"}
"""Free texts that contain names: they are shown."""


def planted(schema: Any, field: str) -> Any:
    """A value in every field of a schema, with the canary wherever the schema allows an author's own text."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or not (
        schema.keys() & {"type", "x-kubernetes-int-or-string", "enum"}
    ):
        return {CANARY: [CANARY, {"x": CANARY}]}
    if "properties" in schema:
        return {key: planted(inner, key) for key, inner in schema["properties"].items()}
    match schema.get("type"):
        case "object":
            return {"key": planted(schema.get("additionalProperties") or {}, field)}
        case "array":
            return [planted(schema["items"], field)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    if "enum" in schema:
        return schema["enum"][0]
    fits = schema.get("type") != "string" or re.search(schema.get("pattern", ""), CANARY)
    return "" if field in NAMES or not fits or ("pattern" in schema and field not in OPEN) else CANARY


@pytest.mark.parametrize("crd", manifests(), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_no_free_text_of_any_kind_is_shown(crd: Any) -> None:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    found = {part: planted(schema[part], part) for part in ("spec", "status") if part in schema}
    meta = {"name": "x", "annotations": {"a": CANARY}, "labels": {"team": CANARY}, "managedFields": [{"x": CANARY}]}
    shown = body({"apiVersion": API_VERSION, "kind": crd["spec"]["names"]["kind"], "metadata": meta, **found})
    assert CANARY in json.dumps(found) and CANARY not in json.dumps(shown)
    assert shown["metadata"]["name"] == "x" and set(shown) >= set(found)


def test_no_text_of_a_pod_or_an_event_is_shown() -> None:
    state = {"terminated": {"exitCode": 1, "reason": "Error", "message": CANARY}}
    container = {
        "name": "main",
        "image": "busybox",
        "args": [CANARY],
        "command": [CANARY],
        "env": [
            {"name": "TOKEN", "value": CANARY},
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": CANARY, "key": CANARY}}},
        ],
    }
    conditions = [{"type": "Ready", "status": "False", "reason": "No", "message": CANARY}]
    pod = {
        "metadata": {"name": "p", "annotations": {"x": CANARY}},
        "spec": {
            "containers": [container],
            "nodeSelector": {"x": CANARY},
            "volumes": [{"name": "v", "hostPath": {"path": CANARY}}],
        },
        "status": {
            "phase": "Failed",
            "message": CANARY,
            "conditions": conditions,
            "containerStatuses": [{"name": "main", "state": state}],
        },
    }
    shown = body(pod)
    assert CANARY not in json.dumps(shown)
    assert shown["status"]["containerStatuses"] == [
        {"name": "main", "state": {"terminated": {**state["terminated"], "message": HIDDEN}}}
    ]
    assert [item["name"] for item in shown["spec"]["containers"][0]["env"]] == ["TOKEN", "X"]
    assert body({"kind": "Event", "reason": "Failed", "message": CANARY}) == {
        "kind": "Event",
        "reason": "Failed",
        "message": HIDDEN,
    }


def test_what_helps_is_shown() -> None:
    said = {"task": "a[3]", "reason": "PoolFull", "message": CANARY}
    attempts = f"a 0+1\nb 2+3 #2 @1 =137 OOMKilled\nb ^2\nc ~Skipped {CANARY}\n{CANARY}"
    found = of(
        "DAGRun",
        {"phase": "Running", "progress": "1/4", "waiting": [said], "attempts": attempts, "done": 1},
        dag="d",
        edits=[{"action": "Retry", "reason": "Word"}],
    )
    assert found["status"] == {
        "phase": "Running",
        "progress": "1/4",
        "waiting": [{"task": "a[3]", "reason": "PoolFull", "message": HIDDEN}],
        "attempts": f"a 0+1\nb 2+3 #2 @1 =137 OOMKilled\nb ^2\nc ~Skipped\n{HIDDEN}",
        "done": 1,
    }
    assert found["spec"]["dag"] == "d" and found["spec"]["edits"][0]["reason"] == HIDDEN


async def test_a_finding_quotes_nothing_of_runs(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        said = {"task": "a", "reason": "Approval", "message": CANARY}
        await here.run("d-1", {"a": {}}, {"startedAt": "2020-01-01T00:00:00Z", "waiting": [said]})
        process = await here.start("doctor", "--bundle", str(tmp_path / "b.tar.gz"))
        out, _ = await process.communicate()
        assert CANARY.encode() in out, "for people at the terminal"
        assert not [name for name, data in read(tmp_path / "b.tar.gz").items() if CANARY in data]


def test_a_long_line_takes_no_longer_than_a_line_of_its_length_has_to() -> None:
    """A backtracking search would take hours for these."""
    assert text("a-" * 200_000) == "a-" * 200_000
    assert text("x" * 300 + "-password_of_it = hunter2") == "x" * 300 + f"-password_of_it = {HIDDEN}"
