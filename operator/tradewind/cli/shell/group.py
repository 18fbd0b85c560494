"""The group of all commands. Each is imported on demand: `tradewind --help` must not wait for all of them."""

import importlib
import sys
from typing import Any

import click

from tradewind.cli.output.pipes import guard_streams
from tradewind.cli.shell.commands import COMMANDS, SECTIONS
from tradewind.cli.shell.examples import epilog
from tradewind.model.shown import shown
from tradewind.plan.documents.nearest import nearest

SHARED = ("namespace", "all_namespaces", "context", "kubeconfig")
"""Options that may precede the command too."""

ELSEWHERE: dict[str, str] = {
    "init": "new",
    "create": "apply",
    "trigger": "run DAG",
    "submit": "run DAG, or run -f FILE",
    "start": "run DAG",
    "dags trigger": "run DAG",
    "dags list": "get dags",
    "dags list-runs": "get runs",
    "dags pause": "suspend dag/DAG",
    "dags unpause": "resume dag/DAG",
    "dags show": "describe dag DAG",
    "dags details": "describe dag DAG",
    "dags test": "run -f FILE --logical-date DATE",
    "dags delete": "delete dag/DAG",
    "dags backfill": "backfill DAG",
    "dags next-execution": "plan --dag DAG",
    "dags": "get dags",
    "dag": "get dags",
    "runs": "get runs",
    "cron": "get triggers",
    "list": "get runs",
    "ls": "get runs",
    "tasks list": "describe dag DAG",
    "tasks test": "run -f FILE --only TASK",
    "tasks run": "run -f FILE --only TASK",
    "tasks clear": "clear RUN TASK",
    "tasks render": "render DAG",
    "tasks state": "describe RUN",
    "tasks": "describe RUN",
    "test": "run -f FILE",
    "pools": "get pools",
    "assets": "get assets",
    "variables": "kubectl create configmap, which a DAG reads by spec.config",
    "connections": "kubectl create secret, which a task reads by env",
    "status": "describe RUN",
    "show": "describe",
    "stop": "cancel RUN",
    "kill": "cancel --terminate RUN",
    "terminate": "cancel --terminate RUN",
    "validate": "lint FILE",
    "check": "lint FILE",
    "pause": "suspend dag/DAG",
    "unpause": "resume dag/DAG",
    "resubmit": "rerun RUN",
    "scheduler": "operator",
    "standalone": "dev",
    "db": "get; Kubernetes is the database",
}
"""Commands of other products, of one word or two, with what to write here."""


class Commands(click.Group):
    """Finds commands by name."""

    def main(self, *arguments: Any, **more: Any) -> Any:
        """Runs the command of the process's arguments, and exits."""
        with guard_streams():
            return super().main(*arguments, **more)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].module.partition(":")
        command: click.Command = getattr(importlib.import_module(f"tradewind.cli.{module}"), name or "command")
        command.epilog = command.epilog or epilog(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, in sections."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(10), entry.words) for name, entry in section.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of these arguments. Options before it become its defaults. Raises UsageError."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            two = " ".join(args[:2])
            asked = two if two in ELSEWHERE else args[0]
            meant = ELSEWHERE.get(asked) or nearest(asked, COMMANDS)
            raise click.UsageError(f"there is no command {asked!r}{f'; did you mean {meant}?' if meant else ''}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        given = {option: value for option in SHARED if (value := ctx.params.get(option))}
        if given and command:
            if unknown := given.keys() - _options(command):
                words = ", ".join(f"--{option.replace('_', '-')}" for option in SHARED if option in unknown)
                raise click.UsageError(f"{name} has no {words}: leave it out", ctx)
            ctx.default_map = {str(name): _defaults(command, given)}
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. Its error messages may quote foreign text."""
        if any("\udc80" <= char <= "\udcff" for argument in sys.argv for char in argument):
            raise click.UsageError("an argument is not valid UTF-8: write it in UTF-8")
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = shown(error.message)  # type: ignore[misc]
            raise


def _options(command: click.Command) -> set[str]:
    found = {option.name or "" for option in command.params}
    if isinstance(command, click.Group):
        found |= {name for inner in command.commands.values() for name in _options(inner)}
    return found


def _defaults(command: click.Command, given: dict[str, Any]) -> dict[str, Any]:
    inner = command.commands if isinstance(command, click.Group) else {}
    return {**given, **{name: _defaults(part, given) for name, part in inner.items()}}
