"""`tradewind lint`: checks manifests without a cluster."""

import sys
from collections.abc import Sequence

import click

from tradewind.cli.manifests.document import KINDS, BadManifest, Document, Refusal
from tradewind.cli.manifests.identity import identified, ours
from tradewind.cli.manifests.reader import EMPTY, NO_MANIFESTS, files, parse
from tradewind.cli.manifests.validation import review
from tradewind.cli.options import FILES, OUTPUT
from tradewind.cli.output.terminal import say, say_data
from tradewind.model.shown import counted


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FILES, metavar="FILE|FOLDER...")
@OUTPUT
def command(paths: tuple[str, ...], output: str) -> None:
    """Check DAGs, templates, triggers and the other kinds of Tradewind in files (`-`: standard input) and folders.
    Objects of other kinds are ignored. The exit code is 1 if there are errors, or nothing to check."""
    found, documents, others = _read(paths)
    reviewed = review(documents)
    found = sorted(found + reviewed.refusals, key=_place)
    nothing = not documents and not found
    if nothing:
        found = others or [Refusal(path, 0, 0, NO_MANIFESTS) for path in paths]
    places = {_place(item) for item in found}
    notes = sorted((note for note in reviewed.notes if _place(note) not in places), key=_place)
    if output != "text":
        data = {
            "manifests": len(documents),
            "problems": [_data(item) for item in found],
            "notes": [_data(item) for item in notes],
        }
        say_data(data, output)
    else:
        for item in found:
            say(f"{_shown(item)}: {item.message}")
        for item in notes:
            say(f"{_shown(item)}: note: {item.message}", err=True)
        say(_conclusion(len(documents), found, nothing), err=True)
    sys.exit(1 if found else 0)


def _read(paths: tuple[str, ...]) -> tuple[list[Refusal], list[Document], list[Refusal]]:
    """Errors in files and in the identities of documents; the documents; and notes on ignored ones."""
    found: list[Refusal] = []
    documents: list[Document] = []
    others: list[Refusal] = []
    for path in files(paths):
        try:
            read: Sequence[Document] = parse(path)
        except BadManifest as error:
            found += error.refusals
            read = error.documents
        else:
            if not read:
                others.append(Refusal(path, 0, 0, EMPTY))
        for document in read:
            meant, problems = identified(document)
            if not ours(document):
                others += map(document.refusal, problems)
                continue
            found += map(document.refusal, problems)
            if meant.kind in KINDS:
                documents.append(meant)
    return found, documents, others


def _place(item: Refusal) -> tuple[str, int, int]:
    return item.source, item.line, item.column


def _shown(item: Refusal) -> str:
    return f"{item.source}:{item.line}:{item.column}" if item.line else item.source


def _data(item: Refusal) -> dict[str, str | int]:
    return {"file": item.source, "line": item.line, "column": item.column, "message": item.message}


def _conclusion(documents: int, found: list[Refusal], nothing: bool) -> str:
    checked = f"{counted(documents, 'manifest')} of Tradewind checked"
    if not documents and nothing:
        return "no manifests of Tradewind found: nothing is checked"
    if not found:
        return f"{checked}: nothing is wrong"
    return f"{checked}: {counted(len(found), 'problem')}"
