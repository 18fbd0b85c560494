"""Reads manifests: YAML as kubectl reads it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tradewind.cli.manifests import yaml_words
from tradewind.cli.manifests.document import KINDS, BadManifest, Document, Refusal
from tradewind.cli.manifests.identity import identified, ours
from tradewind.cli.manifests.yaml_scalars import resolvers
from tradewind.cli.manifests.yaml_subset import JSONConstructor, Unfit, check, refuse_deep
from tradewind.plan.documents.problem import ENOUGH

SIZE_LIMIT = 1_500_000
"""Bytes of a manifest; etcd takes no larger object."""
EMPTY = "empty; write a DAG: see the first one of the README"
NO_MANIFESTS = "no manifests (*.yaml, *.yml, *.json) in this folder"
ENDINGS = (".yaml", ".yml", ".json")
EXPLAINED = 200_000
"""Characters of a text that is parsed again for a better error message: that parser takes a second for this many."""


class Loader(JSONConstructor, yaml.SafeLoader):
    """YAML as kubectl reads it."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same with libyaml, which is ten times as fast and has worse error messages."""


Loader.yaml_implicit_resolvers = _FastLoader.yaml_implicit_resolvers = resolvers()


def load(*paths: str) -> list[Document]:
    """The documents of files (`-` for standard input), all of which must be of Tradewind's kinds, and the documents of
    those kinds in folders. Raises BadManifest with all errors, and with the documents that can be read."""
    documents = list[Document]()
    wrong = list[Refusal]()
    for path in paths:
        found, unread = _all_of(path)
        wrong += unread
        if path != "-" and Path(path).is_dir():
            found, nothing = [document for document in found if _meant_for_us(document)], NO_MANIFESTS
        else:
            nothing = EMPTY
        if not found and not unread:
            wrong.append(Refusal(path, 0, 0, nothing))
        for document in found:
            meant, problems = identified(document)
            wrong += map(document.refusal, problems)
            documents.append(meant)
    if wrong:
        raise BadManifest(*wrong, documents=documents)
    return documents


def _all_of(path: str) -> tuple[list[Document], list[Refusal]]:
    """The documents of a file, or of a folder's files, and why some can't be read."""
    documents, wrong = list[Document](), list[Refusal]()
    for file in files([path]):
        try:
            documents += parse(file)
        except BadManifest as error:
            documents += error.documents
            wrong += error.refusals
    return documents, wrong


def files(paths: Iterable[str]) -> Iterator[str]:
    """The given files, and from folders the files with a manifest's suffix."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from (
                str(each) for each in sorted(Path(path).rglob("*")) if each.suffix in ENDINGS and each.is_file()
            )
        else:
            yield path


def _meant_for_us(document: Document) -> bool:
    """Whether an object in a folder is of an accepted kind, or is meant to be one of Tradewind's."""
    if ours(document):
        return True
    return document.kind in KINDS and document.body.get("apiVersion") == KINDS[document.kind]


def parse(path: str) -> list[Document]:
    """All documents of a file, with lists split into their items. Raises BadManifest for invalid YAML, with the
    documents that can be read."""
    text = _text(path)
    try:
        return _parsed(path, text, _FastLoader)
    except yaml.YAMLError as error:
        wrong = error
    if not isinstance(wrong, Unfit) and len(text) <= EXPLAINED:
        try:
            return _parsed(path, text, Loader)
        except yaml.YAMLError as error:
            wrong = error
        except ValueError:
            pass  # the parser fails on the number of an invalid character
    if not isinstance(wrong, Unfit) and (other := _no_manifest(path)):
        raise BadManifest(Refusal(path, 0, 0, other))
    line, column = yaml_words.place(wrong, text)
    words = str(wrong.problem) if isinstance(wrong, Unfit) else f"not YAML: {yaml_words.explained(wrong)}"
    raise BadManifest(Refusal(path, line, column, words))


def _no_manifest(path: str) -> str:
    """A note that an unreadable file has no manifest's suffix; empty if it has one."""
    ending = Path(path).suffix
    if path == "-" or ending in ENDINGS:
        return ""
    named = f"its name ends in {ending}" if ending else "its name has no ending"
    return f"not a manifest: {named}, and it is not YAML; give files of YAML or JSON ({', '.join(ENDINGS)})"


def _parsed(path: str, text: str, loader: type[Any]) -> list[Document]:
    refuse_deep(text, loader)
    documents, wrong = list[Document](), list[Refusal]()
    for node in yaml.compose_all(text, loader):
        if node is None:
            continue
        unfit, body = list[Unfit](), None
        try:
            unfit = check(node)
            body = Loader("").construct_document(node)
        except Unfit as error:
            unfit.append(error)
        for found in unfit[:ENOUGH]:
            line, column = yaml_words.place(found, text)
            wrong.append(Refusal(path, line, column, str(found.problem)))
        if body is not None:
            documents += _unlisted(Document(path, body, node))
    if wrong:
        raise BadManifest(*wrong, documents=documents)
    return documents


def _unlisted(document: Document) -> list[Document]:
    """The items of a list, such as `kubectl get -o yaml` writes, or the document itself."""
    items = document.node_at("items")
    if not document.kind.endswith("List") or not isinstance(items, yaml.SequenceNode):
        return [document]
    bodies = document.body["items"]
    return [Document(document.source, body, node) for body, node in zip(bodies, items.value, strict=True)]


def _text(path: str) -> str:
    try:
        data = _read(path)
        text = data.decode("utf-8")
    except OSError as error:
        raise BadManifest(Refusal(path, 0, 0, str(error.strerror))) from None
    except UnicodeDecodeError as error:
        if other := _no_manifest(path):
            raise BadManifest(Refusal(path, 0, 0, other)) from None
        line = error.object[: error.start].count(b"\n") + 1
        words = f"not UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8"
        raise BadManifest(Refusal(path, line, 1, words)) from None
    return text


def _read(path: str) -> bytes:
    """The bytes of a file, up to just above the limit."""
    if path == "-":
        import sys

        data = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    else:
        with Path(path).open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        size = Path(path).stat().st_size if path != "-" else 0
        told = f"{size / 1e6:.1f} MB" if size else f"over {SIZE_LIMIT / 1e6} MB"
        words = f"{told}; a Kubernetes object has at most {SIZE_LIMIT / 1e6} MB: move data out of the manifest"
        raise BadManifest(Refusal(path, 0, 0, words))
    return data
