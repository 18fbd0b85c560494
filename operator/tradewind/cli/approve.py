"""`tradewind approve` and `tradewind reject`: decide the approvals of a run."""

from collections.abc import Mapping
from typing import Any

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import cluster, pairs
from tradewind.cli.output.terminal import say
from tradewind.cli.starts.wanted import values
from tradewind.kube.client import Client, Object
from tradewind.kube.resources import APPROVALS, RUNS
from tradewind.look.reading import status as status_of
from tradewind.look.whoami import whoami
from tradewind.model.run import FINAL_PHASES
from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import NO_SUCH_PARAM, resolve

ARGUMENTS = (
    click.argument("run", type=RUN),
    click.argument("task", required=False),
    click.option("-m", "--comment", default="", help="Reason."),
)


def _command(function: Any) -> Any:
    for option in reversed(ARGUMENTS):
        function = option(function)
    return click.command()(function)


@_command
@click.option(
    "-a", "--answer", "answers", multiple=True, metavar="NAME=VALUE", help="Answer to a question; repeat for more."
)
@cluster
async def command(
    client: Client, namespace: str, run: str, task: str | None, comment: str, answers: tuple[str, ...]
) -> None:
    """Approve TASK of RUN. TASK is optional if only one approval waits."""
    found = await _pending(client, namespace, run, task)
    declared = {name: Param.model_validate(body) for name, body in (found["spec"].get("questions") or {}).items()}
    given = values(declared, pairs(answers))
    if words := unfit(declared, given):
        raise click.ClickException("\n".join(words))
    await _decide(client, namespace, found, {"decision": "Approved", "answers": given, "comment": comment})


@_command
@cluster
async def reject(client: Client, namespace: str, run: str, task: str | None, comment: str) -> None:
    """Reject TASK of RUN. TASK is optional if only one approval waits."""
    found = await _pending(client, namespace, run, task)
    await _decide(client, namespace, found, {"decision": "Rejected", "comment": comment})


async def _pending(client: Client, namespace: str, run: str, task: str | None) -> Object:
    """The pending approval."""
    every: list[Object] = (await client.list(APPROVALS, namespace, fieldSelector=f"spec.run={run}"))["items"]
    mine = [item for item in every if task in (None, item["spec"]["task"])]
    waiting = [item for item in mine if status_of(item).get("outcome", "Pending") == "Pending"]
    owner = await client.get(RUNS, namespace, run)
    if waiting and (phase := str(status_of(owner).get("phase") or "")) in FINAL_PHASES:
        raise click.ClickException(f"dagrun/{run} has ended ({phase}): it waits for no approval any more")
    if len(asked := _asked_by(owner, waiting)) == 1:
        return asked[0]
    if waiting:
        names = ", ".join(sorted({item["spec"]["task"] for item in waiting}))
        raise click.ClickException(f"several tasks of dagrun/{run} wait for approval: name one of {names}")
    if mine:
        spec, outcome = mine[-1]["spec"], mine[-1]["status"]["outcome"]
        by = f" by {spec['by']}" if spec.get("by") else ""
        raise click.ClickException(f"too late: {spec['task']} of dagrun/{run} is {outcome}{by}")
    of = f"{task} of dagrun/{run}" if task else f"dagrun/{run}"
    raise click.ClickException(f"{of} waits for no approval: see `tradewind describe run {run}`")


def _asked_by(run: Object, waiting: list[Object]) -> list[Object]:
    """The approvals that the run reports: anyone can create others beside them."""
    told = status_of(run).get("waiting")
    words = (
        {word.rstrip(":") for item in told if isinstance(item, dict) for word in str(item.get("message")).split()}
        if isinstance(told, list)
        else set()
    )
    named = [item for item in waiting if item["metadata"]["name"] in words]
    return named or waiting


def unfit(declared: Mapping[str, Param], given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the answers to an approval's questions."""
    problems = resolve(declared, given, "spec.answers", "asked are")[1]
    told = (str(problem).removeprefix("spec.answers.") for problem in problems)
    return [f"--answer {words.replace(NO_SUCH_PARAM, 'no such question', 1)}" for words in told]


async def _decide(client: Client, namespace: str, found: Object, answer: dict[str, Any]) -> None:
    name, spec = found["metadata"]["name"], found["spec"]
    wanted = {key: value for key, value in {**answer, "by": await whoami(client)}.items() if value}
    await client.patch(APPROVALS, namespace, name, {"spec": wanted})
    say(f"{spec['task']} of dagrun/{spec['run']}: {answer['decision'].lower()} by {wanted['by']}")
