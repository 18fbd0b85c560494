"""`python -m cluster build|up|down|with|status|kubeconfig|image|tools`."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from cluster import archives, binaries
from cluster.provider import Provider, Unavailable, choose
from cluster.settings import KEEP
from cluster.shell import ClusterError

NO_PROVIDER = 3


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as tidily as Ctrl-C does
    provider = choose()
    if isinstance(provider, Unavailable):
        if chosen.command == "with":  # It says what it does without.
            return subprocess.run(chosen.program).returncode
        print(provider.reason, file=sys.stderr)
        return 0 if chosen.command == "build" else NO_PROVIDER
    try:
        return _do(chosen, provider)
    except ClusterError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing is left behind", file=sys.stderr)
        return 130


def _do(chosen: argparse.Namespace, provider: Provider) -> int:
    match chosen.command:
        case "build":
            provider.prepare()
            binaries.helm()
            binaries.versitygw()
            if archives.can_build():
                archives.build(["operator"])
        case "up":
            print(f"export KUBECONFIG={provider.up()}")
        case "down":
            provider.down()
        case "with":
            return _with(provider, chosen.program)
        case "status":
            print(provider.status())
            return 0 if provider.is_up() else 1
        case "kubeconfig":
            if not provider.is_up():
                raise ClusterError("no cluster is up")
            print(provider.up())
        case "image":
            built = archives.build(chosen.names)
            if chosen.action == "load":
                provider.load(built)
            print("\n".join(map(str, built)))
        case "tools":
            print(f"{binaries.kubectl()}\n{binaries.helm()}")
    return 0


def _with(provider: Provider, program: Sequence[str]) -> int:
    """The command's exit code."""
    was_up = provider.is_up()
    provider.up()
    try:
        return subprocess.run(program).returncode
    finally:
        if not was_up and os.environ.get(KEEP) != "1":
            provider.down()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build what a cluster and its tests need, and bring nothing up")
    commands.add_parser("up", help="bring a cluster up; prints the export line for a shell")
    commands.add_parser("down", help="end the cluster and remove every trace of it")
    around = commands.add_parser("with", help="run a command on a cluster, which ends with it unless it was up before")
    around.add_argument("program", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("status", help="what runs")
    commands.add_parser("kubeconfig", help="the path of the running cluster's kubeconfig")
    commands.add_parser("tools", help="paths of kubectl and helm, built if need be")
    image = commands.add_parser("image", help="build images, and load them into the cluster")
    image.add_argument("action", choices=["build", "load"])
    image.add_argument("names", nargs="+", metavar="NAME", help="pause, busybox, python, operator")
    return parser


if __name__ == "__main__":
    sys.exit(main())
