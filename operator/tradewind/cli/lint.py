"""`tradewind lint`: everything that is wrong with manifests, without a cluster."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tradewind import GROUP
from tradewind.cli.manifest import BadManifest, Document, Refusal, parse, refused
from tradewind.cli.options import OUTPUT
from tradewind.cli.review import review

ENDINGS = (".yaml", ".yml", ".json")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...")
@OUTPUT
def command(paths: tuple[str, ...], output: str) -> None:
    """Check DAGs, DAGRuns and Pools in files (`-`: standard input) and folders. Other objects in them are passed over. Exit code 1: something
    is wrong."""
    documents: list[Document] = []
    found: list[Refusal] = []
    for path in _files(paths):
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
    found += review(documents)
    found.sort(key=lambda item: (item.source, item.line, item.column))
    if output == "json":
        problems = [
            {"file": item.source, "line": item.line, "column": item.column, "message": item.message} for item in found
        ]
        click.echo(json.dumps({"manifests": len(documents), "problems": problems}, indent=2, ensure_ascii=False))
    else:
        for item in found:
            place = f"{item.source}:{item.line}:{item.column}" if item.line else item.source
            click.echo(f"{place}: {item.message}")
        click.echo(_conclusion(len(documents), found), err=True)
    sys.exit(1 if found else 0)


def _files(paths: tuple[str, ...]) -> Iterator[str]:
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
    kinds = ("DAG", "DAGRun", "Pool", "ClusterPool")
    return str(document.body.get("apiVersion")).startswith(f"{GROUP}/") or (
        document.body.get("kind") in kinds and "apiVersion" not in document.body
    )


def _conclusion(documents: int, found: list[Refusal]) -> str:
    checked = f"{documents} manifest{'s' if documents != 1 else ''} of Tradewind checked"
    if not found:
        return f"{checked}: nothing is wrong" if documents else "no manifests of Tradewind found"
    return f"{checked}: {len(found)} problem{'s' if len(found) > 1 else ''}"
