"""CEL: compiled once against declared variables, evaluated within a budget, with explained errors.

The engine is the CEL project's own. It limits the steps of one evaluation, and compiles regular expressions without
backtracking (RE2); `bounds` computes memory and time in advance, `evaluation` evaluates.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_encoders, ext_math, ext_strings

from tradewind.plan.cel.compiler_words import compiler_message
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.evaluation import run
from tradewind.plan.cel.functions import json_text, lists, regexes, settled
from tradewind.plan.cel.functions.names import unknown
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.programs import Programs, Variables
from tradewind.plan.cel.references import overload
from tradewind.plan.cel.tokens import MAX_LENGTH
from tradewind.plan.pacing import Evaluation

__all__ = ["ExpressionError", "Program", "Variables", "programs", "run"]

PROGRAM_BYTES = 40 * 2**20
"""Bytes of compiled programs in the cache: those of some 130 DAGs with their own params. Compiling a DAG's first
expression again takes a millisecond."""
STRING, INT, DOUBLE, BOOL, DYN = cel.Type.STRING, cel.Type.INT, cel.Type.DOUBLE, cel.Type.BOOL, cel.Type.DYN
TYPES = {
    "string": STRING,
    "integer": INT,
    "number": DOUBLE,
    "boolean": BOOL,
    "duration": STRING,
    "datetime": STRING,
    "date": STRING,
    "list": cel.Type.List(DYN),
    "object": cel.Type.Map(STRING, DYN),
    "any": DYN,
    "strings": cel.Type.List(STRING),
    "objects": cel.Type.List(DYN),
}
"""Types of values in expressions. Durations and dates stay texts: `duration(params.wait)` computes with one."""
UNDECLARED = "undeclared reference to"
"""The compiler's words for an unknown name."""
_POSITION = re.compile(r"<input>:\d+:(-?\d+): (.*)")


def _is(*states: str) -> Callable[[str], bool]:
    return lambda state: state in states


_TESTS = {
    "Succeeded": _is("Succeeded"),
    "Failed": _is("Failed", "Lost"),
    "Lost": _is("Lost"),
    "Skipped": _is("Skipped"),
    "UpstreamFailed": _is("UpstreamFailed"),
    "Done": _is("Succeeded", "Failed", "Lost", "Skipped", "UpstreamFailed"),
}
FUNCTIONS = tuple(_TESTS)
"""Tests of a dependency in trigger rules."""


@lru_cache(maxsize=1)
def _functions() -> list[Any]:
    return [
        cel.FunctionDecl(
            name,
            [overload(f"{name.lower()}_state", [STRING], BOOL, test)],
        )
        for name, test in _TESTS.items()
    ] + [*settled.declarations(), *lists.declarations(), *json_text.declarations(), *regexes.declarations()]


@lru_cache(maxsize=1)
def _extensions() -> list[Any]:
    return [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_encoders.ExtEncoders()]


def _environment(variables: Variables) -> Any:
    return cel.NewEnv(
        variables={name: TYPES[kind] for name, kind in variables}, functions=_functions(), extensions=_extensions()
    )


programs = Programs(PROGRAM_BYTES, _environment)


def compiled(expression: str, variables: Variables, explain: Callable[[str], str], *wanted: str) -> Program:
    """The compiled expression. `explain` improves the compiler's message about an unknown name; `wanted` are the
    allowed types of the result, any if empty. Raises ExpressionError with the position."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(expression, f"longer than {MAX_LENGTH} characters: compute the value in a task")
    if not expression.isascii() and not _encodable(expression):
        raise ExpressionError(ascii(expression), "half of a surrogate pair, which is not text")
    try:
        program = programs.get(expression, variables)
        result = program.engine.return_type()
    except RuntimeError as error:
        match = _POSITION.search(str(error))
        column, problem = (int(match[1]), match[2]) if match else (None, str(error))
        problem = problem.removesuffix(" [INVALID_ARGUMENT]").removesuffix(" (in container '')")
        problem = unknown(undeclared(problem), expression) or explain(compiler_message(problem, expression))
        raise ExpressionError(expression, problem, column) from None
    if ".get" in expression:
        program.zones  # noqa: B018 - raises for a time zone that there is not
    if wanted and result.name() != "DYN" and not any(_same(TYPES[kind], result) for kind in wanted):
        raise ExpressionError(expression, f"gives {_word(result.name())}, not {' or '.join(map(_article, wanted))}")
    return program


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def undeclared(problem: str) -> str:
    """The unknown name that the compiler's message is about; empty for other messages."""
    match = re.search(rf"{UNDECLARED} '([^']*)'", problem)
    return match[1].removeprefix(".") if match else ""


def _same(wanted: Any, result: Any) -> bool:
    return bool(wanted.name().partition("<")[0] == result.name().partition("<")[0])


def _article(kind: str) -> str:
    return {"boolean": "true or false", "integer": "an integer", "object": "an object"}.get(kind, f"a {kind}")


def _word(kind: str) -> str:
    names = {"INT": "integer", "DOUBLE": "number", "BOOL": "boolean"}
    name = kind.partition("<")[0]
    return _article(names.get(name, name.lower()))


def recompiled(evaluation: Evaluation) -> Program:
    """The program of an expression that another process has already compiled."""
    return programs.get(evaluation.expression, evaluation.variables)
