"""Documents of files, with the line of every field, so that an error can point at it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from tradewind import API_VERSION
from tradewind.cli.manifests import yaml_scalars
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.wording import unquoted

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
"""The kinds that `run -f` and `apply` accept."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    source: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}" if self.line else f"{self.source}: {self.message}"


class BadManifest(Exception):
    """A file that can't be used; each line of the message is `file:line: what is wrong`. `documents` are those that can
    be read."""

    def __init__(self, *refusals: Refusal, documents: Sequence["Document"] = ()) -> None:
        self.refusals, self.documents = refusals, documents
        super().__init__("\n".join(map(str, refusals)))


@dataclass(frozen=True)
class Document:
    """One YAML document and its position."""

    source: str
    body: dict[str, Any]
    node: yaml.Node

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body.get("kind") or "") if isinstance(self.body, dict) else ""

    @property
    def name(self) -> str:
        """Its name, or its generateName."""
        metadata = self.body.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def namespace(self) -> str:
        """Its namespace; empty if it names none."""
        metadata = self.body.get("metadata")
        return str((metadata.get("namespace") if isinstance(metadata, dict) else "") or "")

    @property
    def spec(self) -> Any:
        """Its spec."""
        return self.body.get("spec") or {}

    def refusal(self, problem: Problem) -> Refusal:
        """A problem as a refusal at the line of its field, or of the deepest parent that the document has."""
        mark, node = self._at(problem.path)
        if problem.unquoted and isinstance(node, yaml.ScalarNode) and not node.style and node.value:
            value: Any = True if node.tag == yaml_scalars.BOOL else 0
            problem = replace(unquoted(problem.path, node.value, value), source=problem.source)
        return Refusal(self.source, mark.line + 1, mark.column + 1, str(problem))

    def line_of(self, path: str) -> int:
        """The line of a field, or of its deepest parent that the document has."""
        return int(self._at(path)[0].line) + 1

    def node_at(self, path: str) -> yaml.Node | None:
        """The node of a field; None if there is none."""
        found: yaml.Node = self.node
        rest = path
        while rest and (step := _step(found, rest)):
            _, found, rest = step
        return None if rest else found

    def _at(self, path: str) -> tuple[Any, yaml.Node]:
        mark, node, rest = self.node.start_mark, self.node, path
        while rest and (step := _step(node, rest)):
            mark, node, rest = step
        return mark, node


def _step(node: yaml.Node, path: str) -> tuple[Any, yaml.Node, str] | None:
    """One step down a path: key, node, and the rest of the path."""
    if isinstance(node, yaml.SequenceNode) and (match := re.match(r"\[(\d{1,9})\]\.?", path)):
        index = int(match[1])
        return (
            (node.value[index].start_mark, node.value[index], path[match.end() :]) if index < len(node.value) else None
        )
    if not isinstance(node, yaml.MappingNode):
        return None
    found = [(key, value, text) for key, value in node.value if (text := _begins(path, key))]
    if not found:
        return None
    key, value, text = max(found, key=lambda item: len(item[2]))  # keys may contain dots
    return key.start_mark, value, path[len(text) :].removeprefix(".")


def _begins(path: str, key: yaml.Node) -> str:
    """The key if the path begins with it; else empty."""
    text = str(key.value)
    return text if text and path.startswith(text) and path[len(text) : len(text) + 1] in ("", ".", "[") else ""
