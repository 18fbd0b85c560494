"""The command `tradewind`, also found by kubectl as `kubectl tradewind`."""

import importlib

import click

from tradewind import __version__

COMMANDS = {
    "run": "run",
    "dev": "dev",
    "apply": "apply",
    "lint": "lint",
    "render": "render",
    "get": "get",
    "describe": "describe",
    "top": "top",
    "logs": "logs",
    "cancel": "cancel",
    "retry": "retry",
    "operator": "operator",
}
"""Command -> module of this package. Imported when asked for: `tradewind --help` must not wait for all of them."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tradewind.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tradewind")
def main() -> None:
    """Run DAGs: on this machine without a cluster, or on Kubernetes with one pod per task."""
