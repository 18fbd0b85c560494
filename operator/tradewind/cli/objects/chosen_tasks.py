"""Tasks of a run that are named on the command line, by patterns too."""

import re
from collections.abc import Sequence

import click

from tradewind.model.run import TASKS_OF_AN_EDIT
from tradewind.plan.dags.graph import reach
from tradewind.plan.documents.nearest import listed
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.runs.planner import Planner
from tradewind.plan.runs.rework import ran


def is_pattern(text: str) -> bool:
    """Whether a text stands for all tasks that match it: `*` for any characters, `?` for one."""
    return "*" in text or "?" in text


def chosen(planner: Planner, texts: Sequence[str], *, upstream: bool = False, clears: bool = False) -> list[str]:
    """The tasks and items that are meant, in the order of the DAG, with all that they depend on if `upstream`. Of tasks that are not
    named themselves, an edit that clears takes those that have run. Raises ClickException."""
    tasks = planner.ledger.states
    named = [text for text in texts if not is_pattern(text)]
    matching = set[str]()
    for text in filter(is_pattern, texts):
        found = {task for task in tasks if _matches(text, task)}
        if not found:
            raise click.ClickException(f"no task matches {text!r}; there are: {listed(tasks)}")
        matching |= found
    if upstream:
        own = matching | {parse_key(text)[0] for text in named}
        matching |= reach(own & set(tasks), planner.definition.graph.upstream) - own
    more = [task for task in planner.definition.graph.order if task in matching and task not in named]
    ready = [task for task in more if not clears or ran(planner, task)]
    if not named and not ready:
        raise click.ClickException(f"none of these tasks has run: {listed(more)}; there is nothing to clear")
    if len(named) + len(ready) > TASKS_OF_AN_EDIT:
        words = f"{len(named) + len(ready)} tasks are meant, and one edit names at most {TASKS_OF_AN_EDIT}"
        instead = "clear the first of them, and what depends on them runs again too" if clears else "narrow the pattern"
        raise click.ClickException(f"{words}: {instead}")
    return [*dict.fromkeys(named), *ready]


def _matches(pattern: str, task: str) -> bool:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), task) is not None
