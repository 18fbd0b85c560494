"""Runs a small manifest and compares the result with the expected one.

A case is a manifest `NAME.yaml` and, next to it, `NAME.json`: `args` (more arguments of `tradewind run`), and the
expectation: `phase`, `message` (a text in it), `refused` (a text in the error), `tasks` (states), `attempts` (numbers),
`outputs`, `says` (a text in the message of a task)."""

import json
import subprocess
from pathlib import Path
from typing import Any

from worlds.commands import program

CASES = Path(__file__).parent / "cases"


def played(name: str) -> None:
    """Plays a case. Raises AssertionError for an unexpected result."""
    wanted = json.loads((CASES / f"{name}.json").read_text())
    command = [*program(), "run", "-f", str(CASES / f"{name}.yaml"), *wanted.pop("args", [])]
    done = subprocess.run([*command, "-o", "json"], capture_output=True, text=True, timeout=200)
    said = done.stdout[-3_000:] + done.stderr[-3_000:]
    if refused := wanted.pop("refused", ""):
        assert done.returncode not in (0, 130) and refused in done.stderr, said
        return
    found = json.loads(done.stdout)
    assert done.returncode == (0 if wanted["phase"] == "Succeeded" else 1), said
    assert wanted.pop("message", "") in found["message"], said
    for task, words in wanted.pop("says", {}).items():
        assert words in found["tasks"][task]["message"], said
    assert {key: _seen(found, key, value) for key, value in wanted.items()} == wanted, said


def _seen(found: dict[str, Any], key: str, wanted: Any) -> Any:
    """The actual value for an expectation."""
    match key:
        case "phase":
            return found["phase"]
        case "tasks":
            return {task: found["tasks"][task]["state"] for task in wanted}
        case "attempts":
            return {task: len(found["tasks"][task]["attempts"]) for task in wanted}
        case "outputs":
            return {task: found["tasks"][task].get("outputs") for task in wanted}
    raise AssertionError(f"there is no expectation {key!r}")
