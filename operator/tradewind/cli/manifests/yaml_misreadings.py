"""Values that YAML reads differently than their author may expect: `on` is true, `010` is 8."""

from collections.abc import Iterator

import yaml

from tradewind.cli.manifests import yaml_scalars
from tradewind.plan.documents.problem import Problem

LETTERS = ("y", "Y", "n", "N")
"""Keys that Tradewind reads as text, while kubectl reads booleans."""


def problems(root: yaml.Node) -> Iterator[Problem]:
    """Keys that kubectl sends as something else than what is written."""
    for path, key, _ in _entries(root, ""):
        if key is not None and key.value not in LETTERS and (meant := _other(key)):
            yield Problem(path, f"{key.value} without quotes is {meant} as a key", f'write "{key.value}"')


def notes(root: yaml.Node) -> Iterator[Problem]:
    """Keys that kubectl reads differently, and values that don't mean what they look like."""
    for path, key, value in _entries(root, ""):
        if key is not None and key.value in LETTERS and (meant := _other(key)):
            yield Problem(path, f"kubectl reads {key.value} without quotes as {meant}", f'write "{key.value}"')
        if isinstance(value, yaml.ScalarNode) and (meant := yaml_scalars.misread(value)):
            yield Problem(
                path, f"{value.value} without quotes is {meant}", f'write {meant}, or "{value.value}" for text'
            )


def _other(key: yaml.ScalarNode) -> str:
    """The key as kubectl reads it, if that differs from what is written."""
    if key.style or key.tag not in (yaml_scalars.BOOL, yaml_scalars.INT, yaml_scalars.FLOAT):
        return ""
    meant = yaml_scalars.as_key(key)
    return "" if meant == key.value else meant


def _entries(node: yaml.Node, path: str) -> Iterator[tuple[str, yaml.ScalarNode | None, yaml.Node]]:
    """Path, key (None in lists) and value of everything in a document. The target of an alias is visited once."""
    seen: set[int] = set()
    stack = [(node, path)]
    while stack:
        node, path = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                where = f"{path}.{key.value}" if path else str(key.value)
                yield where, key, value
                stack.append((value, where))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield f"{path}[{index}]", None, value
                stack.append((value, f"{path}[{index}]"))
