"""Options that several commands share."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import click

from tradewind.cli.manifests.document import BadManifest
from tradewind.cli.objects.unknown import unknown
from tradewind.cli.output.pipes import CLOSED, reader_gone, run_until_gone
from tradewind.kube.client import Client
from tradewind.kube.connection import NoCluster, connect
from tradewind.kube.errors import ApiError, NotFound
from tradewind.local.folder import CannotStart
from tradewind.look.explained import explained
from tradewind.look.reading import StatusUnreadable
from tradewind.model.duration import seconds

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


def connects(namespace: str = "Namespace.") -> Callable[[C], C]:
    """Adds the options `namespace`, `kubeconfig` and `context`, which `cluster` uses."""
    options = (
        click.option("-n", "--namespace", help=f"{namespace}  [default: the kubeconfig's]"),
        click.option(
            "--kubeconfig", type=click.Path(), help="Kubeconfig file.  [default: $KUBECONFIG, ~/.kube/config]"
        ),
        click.option("--context", help="Context in the kubeconfig."),
    )

    def add(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def cluster(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Makes a command of `async f(client, namespace, ...)` that connects to the cluster of the user's kubeconfig."""

    @connects()
    @wraps(function)
    def command(namespace: str | None, kubeconfig: str | None, context: str | None, **rest: Any) -> T:
        async def work() -> T:
            connection = connect(kubeconfig, context)
            async with Client(connection) as client:
                where = namespace or connection.namespace
                try:
                    return await function(client, where, **rest)
                except NotFound as error:
                    if words := await unknown(client, where, error):
                        raise click.ClickException(words) from None
                    raise

        return run_to_end(work())

    return command


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to its end. Expected errors become a message and exit code 1, an interruption 130, a closed standard
    output CLOSED."""
    try:
        return asyncio.run(run_until_gone(work))
    except (BadManifest, CannotStart, NoCluster, StatusUnreadable) as error:
        raise click.ClickException(str(error)) from None
    except ApiError as error:
        raise click.ClickException(explained(error)) from None
    except json.JSONDecodeError as error:
        raise click.ClickException(f"the API server's answer is not JSON: {error}") from None
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    except asyncio.CancelledError:
        if not reader_gone():
            raise
        raise click.exceptions.Exit(CLOSED) from None


def pairs(values: tuple[str, ...], option: str = "--param", shape: str = "NAME=VALUE") -> dict[str, str]:
    """`("a=1", …)` as a dict. Raises UsageError for an item without `=` and for a duplicate name."""
    result: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {value}: write {option} {shape}")
        if name in result:
            words = f"{option} {name}: given more than once; write it once, a list as {option} {name}=a,b"
            raise click.UsageError(words)
        result[name] = text
    return result


FILES = click.Path(allow_dash=True)
"""Completed by shells; the code that reads a file reports its errors."""
PARAM = click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Value of a param; repeat for more."
)
REASON = click.option("-m", "--reason", default="", help="Reason; recorded in the run.")
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml"]),
    default="text",
    show_default=True,
    help="Output format: for people (text) or for programs.",
)


class Duration(click.ParamType[float]):
    """A duration such as `100ms` or `1m30s`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds. Fails for an invalid duration and for zero."""
        if isinstance(value, float):
            return value
        try:
            found = seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found <= 0:
            self.fail("it has to be longer than 0s", param, ctx)
        return found


DURATION = Duration()


class ObjectPath(click.ParamType[tuple[str, str]]):
    """An object of a namespace, as `NAMESPACE/NAME`."""

    name = "namespace/name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Namespace and name. Fails for anything else."""
        if isinstance(value, tuple):
            return value
        namespace, slash, name = str(value).partition("/")
        if not (namespace and slash and name) or "/" in name:
            self.fail(f"{value!r}: write NAMESPACE/NAME", param, ctx)
        return namespace, name
