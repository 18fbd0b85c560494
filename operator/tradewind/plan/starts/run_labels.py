"""The labels that a DAG gives its runs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.model.base import LABEL_KEY, LABEL_VALUE, NAMED
from tradewind.model.labels import reserved
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.expressions.interpolation import render, written
from tradewind.plan.expressions.literal import OPEN
from tradewind.plan.expressions.scope import Scope, evaluate

LONGEST_NAME, LONGEST_PREFIX = 63, 253


def check(labels: Mapping[str, str]) -> Iterator[Problem]:
    """Labels that no object can have, or that only the operator sets."""
    for name, value in labels.items():
        path = f"spec.runLabels.{name[:80]}"
        prefix, _, own = name.rpartition("/")
        if not re.fullmatch(LABEL_KEY, name) or len(own) > LONGEST_NAME or len(prefix) > LONGEST_PREFIX:
            yield Problem(path, "not the key of a label", NAMED[LABEL_KEY])
        elif reserved(name):
            yield Problem(path, "only Tradewind sets labels with this prefix", "use another one, or none")
        elif OPEN not in value:
            yield from _unfit(path, value)


def rendered(labels: Mapping[str, str], scope: Scope, values: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of a run with these values. Raises Invalid for values that can't be computed, or that no label can have."""
    found, problems = dict[str, str](), list[Problem]()
    for name, text in labels.items():
        path = f"spec.runLabels.{name}"
        try:
            found[name] = render(text, lambda expression: evaluate(expression, scope, values, lambda _: {}), written)
            problems += _unfit(path, found[name])
        except ExpressionError as error:
            problems.append(Problem(path, str(error)))
    if problems:
        raise Invalid(problems)
    return found


def _unfit(path: str, value: str) -> Iterator[Problem]:
    if not re.fullmatch(LABEL_VALUE, value):
        shown = value if len(value) <= LONGEST_NAME else f"{value[:LONGEST_NAME]}..."
        yield Problem(path, f"{shown!r} is not the value of a label", f"at most 63 characters; {NAMED[LABEL_VALUE]}")
