"""The command `tradewind`, also found by kubectl as `kubectl tradewind`."""

import importlib
import sys
from typing import Any

import click

from tradewind import __version__
from tradewind.model.shown import shown

COMMANDS = {
    "run": "run",
    "dev": "dev",
    "apply": "apply",
    "lint": "lint",
    "render": "render",
    "get": "get",
    "revisions": "revisions",
    "diff": "diff",
    "rollback": "rollback",
    "describe": "describe",
    "top": "top",
    "logs": "logs",
    "cancel": "cancel",
    "suspend": "suspend",
    "resume": "suspend:resume",
    "approve": "approve",
    "reject": "approve:reject",
    "retry": "retry",
    "clear": "edit",
    "mark": "edit:mark",
    "rerun": "rerun",
    "backfill": "backfill",
    "plan": "plan",
    "doctor": "doctor.command",
    "operator": "operator",
    "webhook": "webhook",
    "events": "events",
}
"""Command -> module of this package, and the name in it where that is not `command`. Imported when asked for: `tradewind --help` must not wait for all of them."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"tradewind.cli.{module}"), name or "command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. What it says when it fails may quote anything."""
        if any("\udc80" <= char <= "\udcff" for argument in sys.argv for char in argument):
            raise click.UsageError("an argument is not valid UTF-8: write it in UTF-8")
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = shown(error.message)  # type: ignore[misc]
            raise


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tradewind")
def main() -> None:
    """Run DAGs: on this machine without a cluster, or on Kubernetes with one pod per task."""
