"""Refuses YAML that a Kubernetes object can't contain, before it is expanded: such a file may be short and expand to
too much."""

import math
from collections.abc import Hashable, Iterator
from typing import Any, ClassVar

import yaml

from tradewind.cli.manifests import yaml_scalars

DEEPEST = 200
"""Levels of lists and mappings, with aliases followed. The parser itself fails at some thousands."""
MOST = 1_000_000
"""Values of a document with its aliases followed: a DAG of 10,000 tasks has a fifth of that."""
DIGITS = 64
"""Characters of a number: as many as 64 bits in base 2."""
NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


class Unfit(yaml.MarkedYAMLError):
    """YAML that can't be a Kubernetes object. `problem` says why, `problem_mark` where."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def refuse_deep(text: str, loader: type[Any]) -> None:
    """Raises Unfit for lists and mappings that are too deep for the node builder, which recurses. Reading events does
    not."""
    depth = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise Unfit(f"more than {DEEPEST} levels deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def check(root: yaml.Node) -> list[Unfit]:
    """Removes duplicate keys from a document, keeps the first, and returns a message for each. Raises Unfit for a key
    that is not text, for text that UTF-8 can't encode, and for aliases that expand to too much."""
    twice: list[Unfit] = []
    sizes: dict[int, tuple[int, int]] = {}  # values and levels of lists and mappings, by identity
    entered: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, left = stack.pop()
        if left:
            entered.discard(id(node))
            inner = [sizes.get(id(child), (1, 0)) for child in _children(node)]
            sizes[id(node)] = size, depth = (
                1 + sum(item[0] for item in inner),
                1 + max((item[1] for item in inner), default=0),
            )
            if size > MOST or depth > DEEPEST:
                what = f"more than {MOST:,} values" if size > MOST else f"more than {DEEPEST} levels deep"
                raise Unfit(f"{what}, with its aliases followed", node.start_mark)
        elif isinstance(node, yaml.ScalarNode):
            _check_text(node)
        elif id(node) in entered:
            raise Unfit("an alias inside the value that it refers to", node.start_mark)
        elif id(node) not in sizes:
            entered.add(id(node))
            stack.append((node, True))
            if isinstance(node, yaml.MappingNode):
                twice += _check_keys(node)
            stack.extend((child, False) for child in _children(node))
    return twice


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(node: yaml.MappingNode) -> Iterator[Unfit]:
    seen: dict[str, int] = {}
    kept = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Unfit("a key is a text here, not a list or a mapping", key.start_mark)
        _check_text(key)
        if (first := seen.get(key.value)) is not None:
            yield Unfit(f"{key.value!r} is there twice, first on line {first}; remove one", key.start_mark)
            continue
        seen[key.value] = key.start_mark.line + 1
        kept.append((key, value))
    node.value = kept


def _check_text(node: yaml.ScalarNode) -> None:
    if node.tag in NUMBERS and len(node.value) > DIGITS:
        raise Unfit(f"a number of {len(node.value)} characters: write it in quotes, as a text", node.start_mark)
    if not node.value.isascii():
        try:
            node.value.encode()
        except UnicodeEncodeError:
            raise Unfit("half of a surrogate pair, which UTF-8 has no bytes for", node.start_mark) from None


class JSONConstructor(yaml.constructor.SafeConstructor):
    """Builds the values that kubectl builds, and refuses, with its place, what JSON can't express."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **yaml.constructor.SafeConstructor.yaml_constructors,
        "tag:yaml.org,2002:timestamp": yaml.constructor.SafeConstructor.construct_yaml_str,
        yaml_scalars.BOOL: lambda self, node: yaml_scalars.boolean(self.construct_scalar(node)),
        yaml_scalars.INT: lambda self, node: yaml_scalars.integer(self.construct_scalar(node)),
        yaml_scalars.MERGE: yaml.constructor.SafeConstructor.construct_yaml_str,
        yaml_scalars.FLOAT: lambda self, node: yaml_scalars.fraction(self.construct_scalar(node)),
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node. Raises Unfit, or what SafeConstructor raises."""
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            raise Unfit(f"no value of the type {node.tag.rpartition(':')[2]}", node.start_mark) from None
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            words = f"write {value}.0 for a number" if abs(value) < 10**38 else "write a smaller one"
            raise Unfit(f"an integer of more than 64 bits: {words}, or quote it for a text", node.start_mark)
        if isinstance(value, float) and not math.isfinite(value):
            raise Unfit(f"{node.value} is not a number in JSON", node.start_mark)
        if isinstance(value, bytes | set) or node.tag in ("tag:yaml.org,2002:omap", "tag:yaml.org,2002:pairs"):
            raise Unfit(f"the type {node.tag.rpartition(':')[2]} is none of JSON's", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping, whose keys are texts as written. Raises Unfit."""
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        self.flatten_mapping(node)
        mapping: dict[Hashable, Any] = {}
        for key, value in node.value:
            if key.tag == yaml_scalars.NULL:
                raise Unfit("null can't be a key; write it in quotes", key.start_mark)
            self.construct_object(key, True)  # raises Unfit for an invalid key
            mapping[key.value] = self.construct_object(value, deep)
        return mapping
