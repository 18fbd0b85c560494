"""Values of any shape, made of words from Tradewind's own objects: garbage that gets far."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tradewind.model.crd import manifests

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""How many times the usual number of examples."""


def tries(number: int) -> settings:
    """This number of examples, however long each takes."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=number * TIMES, deadline=None, suppress_health_check=checks)


def _fields(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties") or {}
        for inner in schema.values():
            yield from _fields(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _fields(inner)


CRDS = manifests()
FIELDS = sorted({field for crd in CRDS for field in _fields(crd)})
"""Names of all fields of all kinds."""
WORDS = st.sampled_from(FIELDS) | st.text(max_size=8)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
TELLING = st.sampled_from(
    ["a", "b", "1h", "0s", "-1", "2026-01-31T06:00:00Z", "* * * * *", "Europe/Paris", "Failed", "x:1", "1Gi", "$[[ 1 +", "$[[ params.a ]]", "\0", "a[0]", "a[", "tasks.a.outputs.b > 0", "9" * 30, "é" * 70]
)  # fmt: skip
"""Texts that have a meaning somewhere."""
JSON = st.recursive(
    LEAVES | TELLING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
DATES = st.sampled_from(["2026-01-31T06:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00"])
MAPS = st.dictionaries(WORDS, JSON, max_size=6)
NEST = st.integers(1, 3_000).map(lambda deep: b"[" * deep + b"]" * deep)
"""JSON with various nesting levels."""


def shapes(schema: Any, depth: int = 0, right_only: bool = False) -> st.SearchStrategy[Any]:
    """Values that nearly fit a schema: each part may be something else."""
    if not isinstance(schema, dict) or depth > 9:
        return JSON
    match schema.get("type"):
        case "object" if "properties" in schema:
            parts = {name: shapes(inner, depth + 1, right_only) for name, inner in schema["properties"].items()}
            needed = {name: parts.pop(name) for name in schema.get("required") or ()}
            right: st.SearchStrategy[Any] = st.fixed_dictionaries(needed, optional=parts)
        case "object":
            right = st.dictionaries(
                st.sampled_from(["a", "b", "c"]),
                shapes(schema.get("additionalProperties"), depth + 1, right_only),
                max_size=3,
            )
        case "array":
            right = st.lists(shapes(schema.get("items"), depth + 1, right_only), max_size=3)
        case "integer":
            right = st.integers(-2, 4) | st.integers(-(2**63), 2**63 - 1)
        case "boolean":
            right = st.booleans()
        case "string" if "enum" in schema:
            right = st.sampled_from(schema["enum"])
        case _:
            right = DATES if schema.get("format") == "date-time" else TELLING
    return right if right_only else st.one_of(*[right] * 15, JSON)


def valid(kind: str, part: str) -> st.SearchStrategy[Any]:
    """Values for `spec` or `status` of a kind that have the types of its schema."""
    return nearly(kind, part, True)


@lru_cache
def nearly(kind: str, part: str, right_only: bool = False) -> st.SearchStrategy[Any]:
    """Values for `spec` or `status` of a kind that nearly fit its schema."""
    crd = next(crd for crd in CRDS if crd["spec"]["names"]["kind"] == kind)
    return shapes(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part], right_only=right_only)
