"""`tradewind lint`: everything that is wrong with manifests, without a cluster."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tradewind import API_VERSION, GROUP
from tradewind.cli.manifest import KINDS, BadManifest, Document, Refusal, parse, refused
from tradewind.cli.options import OUTPUT
from tradewind.cli.review import review
from tradewind.cli.terminal import say, say_json

ENDINGS = (".yaml", ".yml", ".json")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...")
@OUTPUT
def command(paths: tuple[str, ...], output: str) -> None:
    """Check DAGs, templates, DAGRuns and Pools in files (`-`: standard input) and folders. Other objects in them are passed over. Exit code
    1: something is wrong."""
    documents: list[Document] = []
    found: list[Refusal] = []
    for path in files(paths):
        try:
            read = parse(path)
        except BadManifest as error:
            found += error.refusals
            continue
        for document in read:
            if not _ours(document):
                continue
            if wrong := refused(document):
                found.append(wrong)
            else:
                documents.append(document)
    reviewed = review(documents)
    found = sorted(found + reviewed.refusals, key=_place)
    notes = sorted(reviewed.notes, key=_place)
    if output == "json":
        data = {
            "manifests": len(documents),
            "problems": [_data(item) for item in found],
            "notes": [_data(item) for item in notes],
        }
        say_json(data)
    else:
        for item in found:
            say(f"{_shown(item)}: {item.message}")
        for item in notes:
            say(f"{_shown(item)}: note: {item.message}", err=True)
        say(_conclusion(len(documents), found), err=True)
    sys.exit(1 if found else 0)


def files(paths: tuple[str, ...]) -> Iterator[str]:
    """Files as they are, and of folders what is a manifest by its name."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from (
                str(each) for each in sorted(Path(path).rglob("*")) if each.suffix in ENDINGS and each.is_file()
            )
        else:
            yield path


def _ours(document: Document) -> bool:
    """Whether it is one of Tradewind's objects, or wants to be."""
    if not isinstance(document.body, dict):
        return False
    kinds = [kind for kind, version in KINDS.items() if version == API_VERSION]
    return str(document.body.get("apiVersion")).startswith(f"{GROUP}/") or (
        document.body.get("kind") in kinds and "apiVersion" not in document.body
    )


def _place(item: Refusal) -> tuple[str, int, int]:
    return item.source, item.line, item.column


def _shown(item: Refusal) -> str:
    return f"{item.source}:{item.line}:{item.column}" if item.line else item.source


def _data(item: Refusal) -> dict[str, str | int]:
    return {"file": item.source, "line": item.line, "column": item.column, "message": item.message}


def _conclusion(documents: int, found: list[Refusal]) -> str:
    checked = f"{documents} manifest{'s' if documents != 1 else ''} of Tradewind checked"
    if not found:
        return f"{checked}: nothing is wrong" if documents else "no manifests of Tradewind found"
    return f"{checked}: {len(found)} problem{'s' if len(found) > 1 else ''}"
