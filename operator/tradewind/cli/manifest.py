"""Reading manifests: YAML as Kubernetes reads it, with the line of every field, so that a refusal can point at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tradewind import API_VERSION

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


class Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates are strings, a key may not come twice."""


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
            yield int(part[1:-1]) if part[1:-1].isdigit() else part[1:-1]
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
    except yaml.YAMLError:
        try:
            return _parsed(path, text, Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = getattr(error, "problem", None) or str(error)
            raise BadManifest(Refusal(path, line, column, f"not YAML: {what}")) from None


def _parsed(path: str, text: str, loader: type[Any]) -> list[Document]:
    documents = []
    for node in yaml.compose_all(text, loader):
        if node is None:
            continue
        _refuse_duplicates(path, node)
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
    if len(data) > SIZE_LIMIT:
        size, limit = len(data) / 1e6, SIZE_LIMIT / 1e6
        words = f"{size:.1f} MB; a Kubernetes object has at most {limit} MB: move data out of the manifest"
        raise BadManifest(Refusal(path, 0, 0, words))
    return text


def _read(path: str) -> bytes:
    if path == "-":
        import sys

        return sys.stdin.buffer.read()
    return Path(path).read_bytes()


def _refuse_duplicates(path: str, node: yaml.Node) -> None:
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in current.value:
                if key.value in seen:
                    mark, words = key.start_mark, f"{key.value!r} is there twice: remove one"
                    raise BadManifest(Refusal(path, mark.line + 1, mark.column + 1, words))
                seen.add(key.value)
                stack.append(value)
        elif isinstance(current, yaml.SequenceNode):
            stack.extend(current.value)


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
