"""`tradewind note`: a note on a run, for people."""

import time

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import names_of
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.look.note import LONGEST, NOTE, NOTED_AT, NOTED_BY
from tradewind.look.whoami import whoami
from tradewind.model.duration import stamp


@click.command()
@click.argument("run", type=RUN, shell_complete=names_of("dagruns"))
@click.argument("text")
@cluster
async def command(client: Client, namespace: str, run: str, text: str) -> None:
    """Write TEXT on a run, where `describe` shows it with who wrote it, and when. It replaces the note before; an empty TEXT
    removes it."""
    text = text.strip()
    if len(text) > LONGEST:
        words = f"the note has {len(text)} characters, and at most {LONGEST} are kept: write where the rest is"
        raise click.UsageError(words)
    notes: dict[str, str | None] = dict.fromkeys((NOTE, NOTED_BY, NOTED_AT))
    if text:
        notes = {NOTE: text, NOTED_BY: await whoami(client), NOTED_AT: stamp(time.time())}
    await client.patch(RUNS, namespace, run, {"metadata": {"annotations": notes}})
    say(f"dagrun/{run}: {'noted' if text else 'the note is removed'}")
