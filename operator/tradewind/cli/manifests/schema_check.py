"""The API server's checks: the schema of the kind and its rules, as in its CustomResourceDefinition."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from tradewind.cli.manifests.document import Document
from tradewind.local.apiserver import celrules, schema
from tradewind.local.apiserver.errors import Cause
from tradewind.model.crd import KINDS, manifest
from tradewind.plan.documents.problem import Problem

TWICE = "FieldValueDuplicate"


def problems(document: Document, others: bool) -> Iterator[Problem]:
    """Problems of a document that has passed all other checks, whose messages are better. If those have found `others`: only entries
    that are there twice, which no other check finds."""
    shape = _schema(document.kind)
    if shape is None:
        return
    # Another check reports names, at their line.
    body = {"metadata": {"name": "name"}, "spec": _without_nulls(document.body.get("spec") or {})}
    _, unknown = schema.pruned(shape, body)
    causes = list(schema.problems(shape, schema.defaulted(shape, body)))
    if others:
        yield from (_problem(cause) for cause in causes if cause.reason == TWICE)
        return
    yield from (Problem(path, "unknown field", "remove it") for path in unknown)
    yield from map(_problem, causes or celrules.violations(shape, body, None))


@cache
def _schema(kind: str) -> Any:
    model = next((model for model in KINDS if model.kind == kind), None)
    return manifest(model)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] if model else None


def _without_nulls(value: Any) -> Any:
    """The value as the API server stores it, without fields that are null."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _problem(cause: Cause) -> Problem:
    if cause.reason == TWICE:
        value = cause.message.partition(": ")[2]
        return Problem(cause.field, f"{value or 'it'} is there twice", "remove one")
    message = cause.message.partition("in body ")[2] or cause.message.partition('": ')[2] or cause.message
    return Problem(cause.field, f"the API server does not take it: {message}")
