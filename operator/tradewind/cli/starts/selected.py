"""A run of some tasks only, as requested on the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tradewind.model.run import MOST_EDITS, Edit
from tradewind.model.value import Param
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.selection import select, selection_problems
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions.typed_values import from_text
from tradewind.plan.runs.rework import unfit_at_start

JSON_OR_TEXT = Param(type="any")
SHOWN = 5
"""Problems in one message."""
OPTIONS = (("only", "--only"), ("until", "--until"), ("edits", "--given"))


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
        # Each is judged by itself: one that doesn't fit takes no other with it.
        groups = [[key] for key in outputs] if len(outputs) <= MOST_EDITS // 2 else [[*outputs]]
        spec["edits"] = [
            {
                "action": "Succeed",
                "tasks": group,
                "outputs": {key: outputs[key] for key in group},
                "reason": "given at the start",
            }
            for group in groups
        ]
    return spec


def check(definition: Definition, spec: Mapping[str, Any]) -> None:
    """Raises UsageError for tasks and outputs of a run's spec that the DAG doesn't have, in the words of the command line."""
    only, until = spec.get("only", ()), spec.get("until", ())
    problems = [*selection_problems(definition, only, until)]
    if not problems and only:
        edits = [Edit.model_validate(edit) for edit in spec.get("edits", ())]
        problems = [*unfit_at_start(definition, edits, select(definition, only, until).left_out)]
    if problems:
        raise click.UsageError("; ".join(_told(problem) for problem in problems[:SHOWN]))


def _told(problem: Problem) -> str:
    option = next((option for field, option in OPTIONS if problem.path.startswith(f"spec.{field}")), problem.path)
    return f"{option}: {problem.what}{f'; {problem.instead}' if problem.instead else ''}"
