"""A run of some tasks only, as requested on the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import from_text

JSON_OR_TEXT = Param(type="any")


def selected(until: Sequence[str], only: Sequence[str], given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the run's spec. `given` are outputs of tasks that do not run, by TASK.OUTPUT. Raises UsageError."""
    if until and only:
        raise click.UsageError("--until and --only exclude each other: --until runs what comes before, too")
    if given and not only:
        raise click.UsageError("--given is for tasks that --only leaves out; add --only TASK")
    spec: dict[str, Any] = {name: list(tasks) for name, tasks in (("until", until), ("only", only)) if tasks}
    outputs: dict[str, dict[str, Any]] = {}
    for name, text in given.items():
        task, dot, output = name.partition(".")
        if not dot or not task or not output:
            raise click.UsageError(f"--given {name}: write --given TASK.OUTPUT=VALUE")
        if task in only:
            raise click.UsageError(f"--given {name}: {task} runs and writes its own outputs; leave it out")
        outputs.setdefault(task, {})[output] = from_text(JSON_OR_TEXT, text)
    if outputs:
        spec["edits"] = [
            {"action": "Succeed", "tasks": list(outputs), "outputs": outputs, "reason": "given at the start"}
        ]
    return spec
