"""Checks of literal regular expressions."""

from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.functions.prices import compiling
from tradewind.plan.documents import budget
from tradewind.plan.expressions.scope import search

TOO_DEAR = "the regular expressions of this document take too long to compile; repeat less in this one, above all classes such as \\pL"


def regex_fault(pattern: str) -> str:
    """Why a regular expression can't be used; empty if it can. Expensive ones are not tried once the document's budget
    is used up."""
    if not budget.current().attempt(pattern, compiling(pattern)):
        return TOO_DEAR
    try:
        search(pattern, "")
    except ExpressionError as error:
        return error.problem
    return ""
