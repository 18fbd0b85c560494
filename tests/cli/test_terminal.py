"""Text from a cluster, a server or a file is shown on a terminal; it can't control it."""

import asyncio
import os
import pty
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind import API_VERSION
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.resources import BACKFILLS, DAGS, POOLS, RUNS, TRIGGERS

from cli.glass import in_terminal
from cli.scene import Scene, scene

EVIL = "\x1b]0;pwned\x07\x1b[2J\x1b[31mALL SUCCEEDED\x1b[8m\x9b2J\u202egnp.exe[/x][bold]:smile:"
SEEN = "\\x1b]0;pwned\\x07\\x1b[2J"


async def put(here: Scene, resource: Any, name: str, spec: Any, status: Any, **meta: Any) -> None:
    body = {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": name, **meta}, "spec": spec}
    where = "default" if resource.namespaced else ""
    await here.client.create(resource, where, body)
    await here.client.patch(resource, where, name, {"status": status}, "status")


async def hostile(here: Scene) -> None:
    """A run, a DAG, a trigger and a backfill whose texts all contain what a terminal must not be sent."""
    evil = {"message": EVIL, "reason": EVIL[:20]}
    status = {
        "phase": "Running",
        "progress": EVIL,
        "message": EVIL,
        "params": {"p": EVIL},
        "results": {"r": EVIL},
        "outputs": {"a": {"o": EVIL}},
        "conditions": [{"type": EVIL[:20], "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", **evil}],
        "waiting": [{"task": "a", "reason": EVIL, "message": EVIL}],
        "failures": [{"task": "b", "attempt": 1, **evil}],
        "attempts": "b 0+1 =1 Error",
        "produced": [{"name": EVIL, "partition": EVIL, "at": "2026-01-01T00:00:00Z"}],
    }
    await here.run("d-1", {"a": {}, "b": {}, "c": {"when": "params.p == ''"}}, status, params={"p": {"default": ""}})
    await here.client.patch(RUNS, "default", "d-1", {"metadata": {"annotations": {CAUSE: EVIL}}})
    await put(
        here,
        DAGS,
        "d",
        {"tasks": {"a": {"command": ["x"], "image": "x"}}},
        {"phase": "Invalid", "lastRun": {"name": EVIL, "phase": EVIL}},
    )
    await put(
        here,
        TRIGGERS,
        "t",
        {"dag": "d", "schedule": {"cron": "0 0 * * *"}},
        {"phase": "Invalid", "source": EVIL, "next": EVIL, **evil},
    )
    await put(
        here,
        BACKFILLS,
        "b",
        {"dag": "d", "trigger": "t", "start": "2026-01-01", "end": "2026-01-02"},
        {"phase": "Invalid", "progress": EVIL, **evil},
    )
    await put(here, POOLS, "p", {"slots": 1}, {"used": 0})


COMMANDS = {
    "describe": ("describe", "run", "d-1"),
    "runs": ("get", "runs"),
    "dags": ("get", "dags"),
    "triggers": ("get", "triggers"),
    "backfills": ("get", "backfills"),
    "assets": ("get", "assets"),
    "top": ("top",),
    "doctor": ("doctor",),
    "a refusal": ("describe", "run", f"x{EVIL}"),
    "a usage error": ("backfill", "d", "--cron", EVIL, "--start", "2026-01-01", "--end", "2026-01-02"),
    "json": ("describe", "run", "d-1", "-o", "json"),
}


@pytest.fixture
async def here(tmp_path: Path) -> Any:
    async with scene(tmp_path) as here:
        await hostile(here)
        yield here


@pytest.mark.parametrize("what", COMMANDS)
async def test_what_is_printed_has_no_control_characters(here: Scene, what: str) -> None:
    process = await here.start(*COMMANDS[what])
    out, told = (part.decode() for part in await process.communicate())
    assert "Traceback" not in told, told
    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out + told)
    assert SEEN in out + told or what in ("doctor", "json"), out + told


async def test_markup_and_escapes_are_text_on_a_terminal(here: Scene) -> None:
    ours, theirs = pty.openpty()
    process = await here.start("describe", "run", "d-1", stdout=theirs, stderr=theirs)
    os.close(theirs)
    reader = asyncio.get_running_loop().run_in_executor(None, lambda: b"".join(iter(lambda: read(ours), b"")))
    await process.wait()
    text = (await reader).decode()
    os.close(ours)
    assert process.returncode == 0, text
    assert set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", text)) <= set(re.findall(r"\x1b\[[0-9;]*m", text)), text
    assert "\x07" not in text and "\u202e" not in text and "\x1b[8m" not in text and "[/x][bold]:smile:" in text


def read(file: int) -> bytes:
    try:
        return os.read(file, 65_536)
    except OSError:
        return b""  # the other end is closed


async def test_lint_shows_what_a_manifest_says(tmp_path: Path) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": "DAG",
        "metadata": {"name": EVIL},
        "spec": {"tasks": {EVIL: {"dependsOn": [EVIL]}}},
    }
    path = tmp_path / "dag.yaml"
    path.write_text(yaml.safe_dump(body))
    async with scene(tmp_path) as here:
        process = await here.start("lint", str(path), config=False)
        out, told = (part.decode() for part in await process.communicate())
    assert process.returncode == 1
    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out + told)


def test_no_color_leaves_no_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "printf '\\033[31mred\\033[0m\\n'; exit 1"
    body = {
        "apiVersion": API_VERSION,
        "kind": "DAG",
        "metadata": {"name": "d"},
        "spec": {"defaults": {"image": "x"}, "tasks": {"a": {"script": {"shell": script}}}},
    }
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(body))
    monkeypatch.setenv("NO_COLOR", "1")
    code, written = in_terminal(tmp_path, ["run", "-f", "d.yaml"], [])
    assert code == 1 and "\x1b" not in written and "\\x1b" not in written and "a | red" in written, written
