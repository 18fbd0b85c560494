"""`tradewind note`: a note on a run, for people."""

import time
from collections.abc import Mapping

import click

from tradewind.cli.objects.targets import RUN
from tradewind.cli.options import cluster
from tradewind.cli.output.terminal import say
from tradewind.cli.shell.completion import names_of
from tradewind.cli.whoami import whoami
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS
from tradewind.model.duration import stamp

NOTE, NOTED_BY, NOTED_AT = "tradewind.dev/note", "tradewind.dev/noted-by", "tradewind.dev/noted-at"
"""Annotations of a run."""
LONGEST, LONGEST_NAME = 1_024, 128
"""Characters of a note, and of its author's name, that are shown."""


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


def shown(annotations: Mapping[str, str]) -> str:
    """The note with its author and time, as far as they are known; empty if there is none."""
    text = _line(annotations.get(NOTE), LONGEST)
    who = ", ".join(words for name in (NOTED_BY, NOTED_AT) if (words := _line(annotations.get(name), LONGEST_NAME)))
    return f"{text} ({who})" if text and who else text


def _line(text: object, longest: int) -> str:
    """Anyone who may change a run writes it: it must not look like lines of the program."""
    return " ".join(str(text or "")[:longest].split())
