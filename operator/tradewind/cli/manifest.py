"""Reading manifests: YAML as Kubernetes reads it, with the line of every field, so that a refusal can point at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tradewind import API_VERSION
from tradewind.plan.define import define
from tradewind.plan.problem import Invalid, Problem

SIZE_LIMIT = 1_500_000
"""Bytes. etcd takes no larger object."""
KINDS = {
    "DAG": API_VERSION,
    "DAGRun": API_VERSION,
    "Pool": API_VERSION,
    "ClusterPool": API_VERSION,
    "ConfigMap": "v1",
    "Secret": "v1",
}
"""What `run -f` and `apply` understand."""


class BadManifest(Exception):
    """A file that can't be used; each line of the message is `file:line: what is wrong`."""


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates are strings, a key may not come twice."""


_Loader.yaml_implicit_resolvers = {
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
        metadata = self.body.get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    def where(self, path: str) -> str:
        """`file:line` of a field path such as `spec.tasks.a.dependsOn[1]`, as deep as the document goes."""
        node: yaml.Node = self.node
        line = node.start_mark.line
        for step in _steps(path):
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return f"{self.source}:{line + 1}"


def _steps(path: str) -> Iterator[str | int]:
    for part in path.replace("[", ".[").split("."):
        if part.startswith("["):
            yield int(part[1:-1]) if part[1:-1].isdigit() else part[1:-1]
        elif part:
            yield part


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None


def load(path: str) -> list[Document]:
    """The documents of a file (`-` for standard input) that Tradewind understands. Raises BadManifest."""
    try:
        data = _read(path)
        text = data.decode("utf-8")
    except OSError as error:
        raise BadManifest(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadManifest(
            f"{path}:{line}: not UTF-8 (byte 0x{error.object[error.start]:02x}): save the file as UTF-8"
        ) from None
    if len(data) > SIZE_LIMIT:
        size, limit = len(data) / 1e6, SIZE_LIMIT / 1e6
        raise BadManifest(
            f"{path}: {size:.1f} MB; a Kubernetes object has at most {limit} MB: move data out of the manifest"
        )
    documents = []
    try:
        for node in yaml.compose_all(text, _Loader):
            if node is None:
                continue
            _refuse_duplicates(path, node)
            body = _Loader("").construct_document(node)
            if body is not None:
                documents.append(_checked(Document(path, body, node)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        raise BadManifest(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {what}") from None
    if not documents:
        raise BadManifest(f"{path}: empty; write a DAG: see `kubectl explain dag`, or the README's first DAG")
    return documents


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
                    raise BadManifest(f"{path}:{key.start_mark.line + 1}: {key.value!r} is there twice: remove one")
                seen.add(key.value)
                stack.append(value)
        elif isinstance(current, yaml.SequenceNode):
            stack.extend(current.value)


def _checked(document: Document) -> Document:
    body = document.body
    if not isinstance(body, dict):
        raise BadManifest(f"{document.where('')}: not a Kubernetes object: write apiVersion, kind, metadata and spec")
    if document.kind not in KINDS:
        known = ", ".join(KINDS)
        raise BadManifest(
            f"{document.where('kind')}: kind {body.get('kind')!r} is not one of {known}; kubectl applies other kinds"
        )
    if body.get("apiVersion") != KINDS[document.kind]:
        where = document.where("apiVersion")
        raise BadManifest(
            f"{where}: apiVersion {body.get('apiVersion')!r}: a {document.kind} has {KINDS[document.kind]}"
        )
    if not document.name:
        raise BadManifest(f"{document.where('metadata')}: metadata.name: required")
    return document


def problems(document: Document, found: list[Problem]) -> BadManifest:
    """An error that points at each problem's line."""
    return BadManifest("\n".join(f"{document.where(problem.path)}: {problem}" for problem in found))


def check(document: Document) -> None:
    """Raises BadManifest for a DAG that could not run."""
    if document.kind == "DAG":
        try:
            define(document.body.get("spec") or {})
        except Invalid as error:
            raise problems(document, error.problems) from None
