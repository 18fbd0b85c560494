"""Completion: the script for a shell, and the names of objects of the cluster."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import get_completion_class

from tradewind.cli.output.terminal import say_document

PATIENCE = 3.0
"""Seconds to wait for a cluster while the user types."""
MOST = 500
"""Names that are offered."""
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash   source <(tradewind completion bash)      # needs bash 4.4; in ~/.bashrc to keep it
    zsh    source <(tradewind completion zsh)       # in ~/.zshrc
    fish   tradewind completion fish | source       # in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices are those that there are
    from tradewind.cli.main import main

    say_document(kind(main, {}, "tradewind", "_TRADEWIND_COMPLETE").source() + "\n")


def names_of(plural: str, before: str = "") -> Complete:
    """Offers the names of a kind's objects, each prefixed with `before`. On any error nothing is offered."""

    def complete(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
        with contextlib.suppress(Exception):
            found = asyncio.run(_names(plural, _given(ctx)))
            return [f"{before}{name}" for name in found if f"{before}{name}".startswith(typed)][:MOST]
        return []

    return complete


def tasks_of(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Offers the tasks of the run typed before."""
    with contextlib.suppress(Exception):
        found = asyncio.run(_tasks(str(ctx.params["run"]), _given(ctx)))
        return [name for name in found if name.startswith(typed)][:MOST]
    return []


def either(*completes: Complete) -> Complete:
    """Offers the completions of all of them."""
    return lambda ctx, param, typed: [name for complete in completes for name in complete(ctx, param, typed)]


def _given(ctx: click.Context) -> dict[str, Any]:
    """The options for cluster and namespace, at any position."""
    found: dict[str, Any] = {}
    at: click.Context | None = ctx
    while at is not None:
        found = {**{key: value for key, value in at.params.items() if value}, **found}
        at = at.parent
    return {key: found.get(key) for key in ("kubeconfig", "context", "namespace")}


async def _names(plural: str, given: dict[str, Any]) -> list[str]:
    from tradewind.cli.get import KINDS
    from tradewind.kube.client import Client
    from tradewind.kube.connection import connect

    connection = connect(given["kubeconfig"], given["context"])
    async with asyncio.timeout(PATIENCE), Client(connection) as client:
        listed = await client.list(KINDS[plural], given["namespace"] or connection.namespace, limit=str(MOST))
        return [str(item["metadata"]["name"]) for item in listed["items"]]


async def _tasks(run: str, given: dict[str, Any]) -> list[str]:
    from tradewind.control.dags.revisions import Revisions
    from tradewind.kube.client import Client
    from tradewind.kube.connection import connect
    from tradewind.look.run_view import look

    connection = connect(given["kubeconfig"], given["context"])
    async with asyncio.timeout(PATIENCE), Client(connection) as client:
        _, view = await look(client, given["namespace"] or connection.namespace, run, Revisions(client))
        return list(view.planner.definition.tasks) if view and view.planner else []
