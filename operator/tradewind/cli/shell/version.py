"""`tradewind version`."""

import platform

import click

from tradewind import __version__
from tradewind.cli.output.terminal import say


@click.command()
def command() -> None:
    """Print the version of this command, and of the Python that it runs on. `tradewind doctor` says what is installed
    on a cluster."""
    say(f"tradewind {__version__} (Python {platform.python_version()})")
