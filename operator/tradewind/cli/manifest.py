"""Reading manifests: YAML as Kubernetes reads it, with the line of every field, so that a refusal can point at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tradewind import API_VERSION
from tradewind.cli.yamlnodes import JSONConstructor, Unfit, check, refuse_deep

SIZE_LIMIT = 1_500_000
"""Bytes. etcd takes no larger object."""
KINDS = {
    "DAG": API_VERSION,
    "DAGRun": API_VERSION,
    "Pool": API_VERSION,
    "ClusterPool": API_VERSION,
    "Trigger": API_VERSION,
    "Backfill": API_VERSION,
    "TaskTemplate": API_VERSION,
    "ClusterTaskTemplate": API_VERSION,
    "DAGTemplate": API_VERSION,
    "ClusterDAGTemplate": API_VERSION,
    "ConfigMap": "v1",
    "Secret": "v1",
}
"""What `run -f` and `apply` understand."""
EXPLAINED = 200_000
"""Characters of a text that is parsed once more for better words about what is wrong: that parser takes a second for as many."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something wrong in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    source: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}" if self.line else f"{self.source}: {self.message}"


class BadManifest(Exception):
    """A file that can't be used; each line of the message is `file:line: what is wrong`."""

    def __init__(self, *refusals: Refusal) -> None:
        self.refusals = refusals
        super().__init__("\n".join(map(str, refusals)))


class Loader(JSONConstructor, yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates are strings, and there is nothing that JSON has no word for."""


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, which is ten times as fast and says less well what is wrong."""


Loader.yaml_implicit_resolvers = _FastLoader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """One YAML document and where it stands."""

    source: str
    body: dict[str, Any]
    node: yaml.Node

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body.get("kind") or "")

    @property
    def name(self) -> str:
        """Its name, or its generateName."""
        metadata = self.body.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def namespace(self) -> str:
        """The namespace that it names; empty when it names none."""
        metadata = self.body.get("metadata")
        return str((metadata.get("namespace") if isinstance(metadata, dict) else "") or "")

    @property
    def spec(self) -> Any:
        """Its spec."""
        return self.body.get("spec") or {}

    def refusal(self, path: str, message: str) -> Refusal:
        """One at a field path such as `spec.tasks.a.dependsOn[1]`, as deep as the document goes."""
        node: yaml.Node = self.node
        mark = node.start_mark
        for step in _steps(path):
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return Refusal(self.source, mark.line + 1, mark.column + 1, message)


def _steps(path: str) -> Iterator[str | int]:
    for part in path.replace("[", ".[").split("."):
        if part.startswith("["):
            index = part[1:-1]
            yield int(index) if index.isdecimal() and len(index) < 10 else index
        elif part:
            yield part


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None


def load(path: str) -> list[Document]:
    """The documents of a file (`-` for standard input), which Tradewind must understand. Raises BadManifest."""
    documents = [_checked(document) for document in parse(path)]
    if not documents:
        words = "empty; write a DAG: see `kubectl explain dag`, or the README's first DAG"
        raise BadManifest(Refusal(path, 0, 0, words))
    return documents


def parse(path: str) -> list[Document]:
    """The documents of a file, whatever they are. Raises BadManifest for what is not YAML."""
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
            pass  # It trips over the number of a character that there is not.
    mark = getattr(wrong, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = getattr(wrong, "problem", None) or str(wrong)
    words = what if isinstance(wrong, Unfit) else f"not YAML: {what}"
    raise BadManifest(Refusal(path, line, column, words))


def _parsed(path: str, text: str, loader: type[Any]) -> list[Document]:
    refuse_deep(text, loader)
    documents = []
    for node in yaml.compose_all(text, loader):
        if node is None:
            continue
        check(node)
        body = Loader("").construct_document(node)
        if body is not None:
            documents.append(Document(path, body, node))
    return documents


def _text(path: str) -> str:
    try:
        data = _read(path)
        text = data.decode("utf-8")
    except OSError as error:
        raise BadManifest(Refusal(path, 0, 0, str(error.strerror))) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        words = f"not UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8"
        raise BadManifest(Refusal(path, line, 1, words)) from None
    return text


def _read(path: str) -> bytes:
    """The bytes of a file, of which no more is read than could be used."""
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


def refused(document: Document) -> Refusal | None:
    """Why a document is none that Tradewind understands, if so."""
    body = document.body
    if not isinstance(body, dict):
        return document.refusal("", "not a Kubernetes object: write apiVersion, kind, metadata and spec")
    if document.kind not in KINDS:
        words = f"kind {body.get('kind')!r} is not one of {', '.join(KINDS)}; kubectl applies other kinds"
        return document.refusal("kind", words)
    if body.get("apiVersion") != KINDS[document.kind]:
        words = f"apiVersion {body.get('apiVersion')!r}: a {document.kind} has {KINDS[document.kind]}"
        return document.refusal("apiVersion", words)
    if not isinstance(body.get("metadata"), dict) or not document.name:
        return document.refusal("metadata", "metadata.name: required")
    return None


def _checked(document: Document) -> Document:
    if refusal := refused(document):
        raise BadManifest(refusal)
    return document
