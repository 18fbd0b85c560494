"""`tradewind clear` and `tradewind mark`: run tasks again, or set their result."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tradewind.cli.objects.chosen_tasks import chosen, is_pattern
from tradewind.cli.objects.dated_runs import SINCE, UNTIL, WHICH, each_run
from tradewind.cli.options import REASON, cluster, pairs
from tradewind.cli.output.terminal import say
from tradewind.cli.revision_reader import keeps
from tradewind.control.dags.bound_approvals import asking_now
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.look.run_view import look
from tradewind.look.whoami import whoami
from tradewind.model.bounded import NotJson, OutOfBounds, read_json
from tradewind.model.run import Edit
from tradewind.model.value import Output
from tradewind.plan.documents.nearest import did_you_mean, listed
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.runs.rework import affected, kept_failures, moves, rework

LONGEST = 64 * 1024
"""Bytes of an output given on the command line."""
ACTIONS = {"succeeded": "Succeed", "failed": "Fail", "skipped": "Skip"}
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show which tasks would change, and how.")


@click.command()
@WHICH
@click.argument("tasks", nargs=-1, required=True, metavar="TASK|TASK[ITEM]|PATTERN...")
@click.option("--only", is_flag=True, help="Don't clear tasks that depend on them.")
@click.option("--upstream", is_flag=True, help="Clear what they depend on too, as far as it has run.")
@SINCE
@UNTIL
@REASON
@DRY_RUN
@cluster
async def command(
    client: Client,
    namespace: str,
    run: str,
    tasks: tuple[str, ...],
    only: bool,
    upstream: bool,
    since: str | None,
    until: str | None,
    reason: str,
    dry_run: bool,
) -> None:
    """Run TASKS of RUN again from scratch, with all tasks that depend on them. All other tasks are kept. A PATTERN such as
    'load-*' stands for the tasks that match it and have run.

    \b
    tradewind clear sales-20260501 load
    tradewind clear sales-20260501 report --upstream
    tradewind clear dag/sales load --since 2026-05-01 --until 2026-05-08
    """

    async def clear(name: str) -> None:
        edit = {"action": "Clear", "tasks": list(tasks), "downstream": not only}
        await _edit(client, namespace, name, edit, reason, dry_run, upstream)

    await each_run(client, namespace, run, since, until, clear)


class _State(click.Choice[str]):
    """A choice whose error suggests the nearest value."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        guess = did_you_mean(str(value), self.choices)
        return f"{super().get_invalid_choice_message(value, ctx)} {guess}".rstrip()


@click.command()
@WHICH
@click.argument("state", type=_State(list(ACTIONS), case_sensitive=False))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK|TASK[ITEM]|PATTERN...")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME=JSON",
    help="Output of the task; only for succeeded and a single task.",
)
@SINCE
@UNTIL
@REASON
@DRY_RUN
@cluster
async def mark(
    client: Client,
    namespace: str,
    run: str,
    state: str,
    tasks: tuple[str, ...],
    outputs: tuple[str, ...],
    since: str | None,
    until: str | None,
    reason: str,
    dry_run: bool,
) -> None:
    """Set the state of TASKS of RUN, whatever their result. `tradewind clear` undoes it. A PATTERN such as 'load-*' stands for
    all tasks that match it."""
    edit: dict[str, Any] = {"action": ACTIONS[state], "tasks": list(tasks)}
    if outputs:
        if len(tasks) > 1 or state != "succeeded" or is_pattern(tasks[0]):
            raise click.UsageError("--output is for one task that is marked as succeeded")
        edit["outputs"] = {tasks[0]: pairs(outputs, "--output")}

    async def set_state(name: str) -> None:
        await _edit(client, namespace, name, edit, reason, dry_run)

    await each_run(client, namespace, run, since, until, set_state)


def _read(given: Mapping[str, str], declared: Mapping[str, Output]) -> dict[str, Any]:
    """Outputs given as texts, converted to the types that the task declares."""
    return {name: _value(name, text, declared.get(name)) for name, text in given.items()}


def _value(name: str, text: str, declared: Output | None) -> Any:
    """The text parsed as JSON; the text itself if it is not JSON or a string is declared. Raises UsageError for a value
    that no run could hold."""
    try:
        value = read_json(text, limit=LONGEST, name=name)
    except NotJson:
        return text
    except OutOfBounds as error:
        raise click.UsageError(f"--output: {error}") from None
    is_text = declared is not None and declared.type in ("string", "duration", "date")
    return text if is_text and not isinstance(value, str) else value


async def _edit(
    client: Client,
    namespace: str,
    name: str,
    edit: dict[str, Any],
    reason: str,
    dry_run: bool,
    upstream: bool = False,
) -> None:
    run, view = await look(client, namespace, name, Revisions(client))
    if view is None or view.planner is None:
        raise click.ClickException(f"dagrun/{name} has not begun: there is nothing to change")
    if run.cancelled:
        words = f"dagrun/{name} was stopped (spec.desiredState: {run.desired})"
        raise click.ClickException(f"{words}: `tradewind rerun {name}` starts another run that reuses its results")
    tasks = chosen(view.planner, edit["tasks"], upstream=upstream, clears=edit["action"] == "Clear")
    edit = {**edit, "tasks": tasks}
    for key, given in edit.get("outputs", {}).items():
        task = view.planner.definition.tasks.get(parse_key(key)[0])
        edit["outputs"] = {key: _read(given, task.outputs if task else {})}
    within = await asking_now(client, run, view.planner)
    changes, problems = rework(view.planner, [Edit.model_validate(edit)], len(run.edits), within=within)
    if problems:
        raise click.ClickException("\n".join(str(problem).partition(": ")[2] for problem in problems))
    show(affected(view.planner, changes))
    if edit["action"] == "Clear" and (kept := await keeps(client, namespace, run)):
        say(kept)
    if dry_run:
        return
    known = {"by": await whoami(client), "reason": reason}
    edits = [*run.edits, {**edit, **{key: value for key, value in known.items() if value}}]
    version = {"metadata": {"resourceVersion": str(run.version)}}
    await client.patch(RUNS, namespace, name, {**version, "spec": {"edits": edits}})
    goes = ", and continues" if not run.final or moves(view.planner, changes) else "; no task runs because of it"
    say(f"dagrun/{name} is changed{goes} (spec.edits[{len(edits) - 1}])")
    if edit["action"] != "Clear" and (failed := kept_failures(view.planner, changes)):
        say(f"still failed: {listed(failed)}; `tradewind retry {name}` runs what has failed again")


def show(rows: Sequence[tuple[str, str]]) -> None:
    """Prints what happens to each task."""
    for key, words in rows:
        say(f"{key}: {words}")
