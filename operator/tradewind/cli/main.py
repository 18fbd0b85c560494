"""The command `tradewind`, also found by kubectl as `kubectl tradewind`."""

import click

from tradewind import __version__
from tradewind.cli.shell.group import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-n", "--namespace", help="Namespace. This option and the next three are also accepted after the command."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("--context", help="Context in the kubeconfig.")
@click.option("--kubeconfig", type=click.Path(), help="Kubeconfig file.")
@click.version_option(__version__, prog_name="tradewind")
def main(**_: object) -> None:
    """Run DAGs: on this machine without a cluster, or on Kubernetes with one pod per task."""
