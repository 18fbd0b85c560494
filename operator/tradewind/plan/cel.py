"""CEL: compiled once against declared variables, evaluated within a budget, explained when it fails.

The engine is the CEL project's own. It bounds the steps of one evaluation itself, and compiles regular expressions without
backtracking (RE2); how large values become, `growth` bounds before and `plain` after.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from tradewind.plan import growth
from tradewind.plan.pieces import PIECE, Chain, chains, words
from tradewind.plan.plain import Room, TooLarge, plain

MAX_LENGTH = 4_096
STRING, INT, DOUBLE, BOOL, DYN = cel.Type.STRING, cel.Type.INT, cel.Type.DOUBLE, cel.Type.BOOL, cel.Type.DYN
TYPES = {
    "string": STRING,
    "integer": INT,
    "number": DOUBLE,
    "boolean": BOOL,
    "duration": STRING,
    "date": STRING,
    "list": cel.Type.List(DYN),
    "object": cel.Type.Map(STRING, DYN),
    "any": DYN,
    "strings": cel.Type.List(STRING),
    "objects": cel.Type.List(DYN),
}
"""How values are typed in expressions. Durations and dates stay as they are written: `duration(params.wait)` computes with one."""
Variables = tuple[tuple[str, str], ...]
"""Dotted names and their types, as keys of TYPES."""
_POSITION = re.compile(r"<input>:\d+:(-?\d+): (.*)")


class ExpressionError(ValueError):
    """An expression that does not compile or can't be evaluated. `problem` says what is wrong, without the expression."""

    def __init__(self, expression: str, problem: str, column: int | None = None) -> None:
        self.expression, self.problem, self.column = expression, problem, column
        where = f" (at character {column})" if column and column > 0 else ""
        shown = expression if len(expression) <= 120 else f"{expression[:117]}..."
        super().__init__(f"`{shown}`{where}: {problem}")


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
"""What trigger rules can ask about a dependency."""


@lru_cache(maxsize=1)
def _functions() -> list[Any]:
    return [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(
                    id=f"{name.lower()}_state", return_type=BOOL, parameters=[STRING], is_member=False, impl=test
                )
            ],
        )
        for name, test in _TESTS.items()
    ]


@lru_cache(maxsize=512)
def _environment(variables: Variables) -> Any:
    return cel.NewEnv(variables={name: TYPES[kind] for name, kind in variables}, functions=_functions())


@lru_cache(maxsize=8192)
def _compile(expression: str, variables: Variables) -> Any:
    return _environment(variables).compile(expression)


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression: what the engine has made of it, and the variables that it knows."""

    engine: Any
    variables: Variables


def compiled(expression: str, variables: Variables, explain: Callable[[str], str], *wanted: str) -> Program:
    """The compiled expression. `explain` makes the compiler's words about an unknown name useful; `wanted` are the types that the
    result may have, any when there are none. Raises ExpressionError with the position."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(expression, f"longer than {MAX_LENGTH} characters: compute the value in a task")
    if not expression.isascii() and not _encodable(expression):
        raise ExpressionError(ascii(expression), "half of a surrogate pair, which is no text")
    try:
        engine = _compile(expression, variables)
    except RuntimeError as error:
        match = _POSITION.search(str(error))
        column, problem = (int(match[1]), match[2]) if match else (None, str(error))
        problem = problem.removesuffix(" [INVALID_ARGUMENT]").removesuffix(" (in container '')")
        raise ExpressionError(expression, explain(problem), column) from None
    result = engine.return_type()
    if wanted and result.name() != "DYN" and not any(_same(TYPES[kind], result) for kind in wanted):
        raise ExpressionError(expression, f"gives {_word(result.name())}, not {' or '.join(map(_article, wanted))}")
    return Program(engine, variables)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def undeclared(problem: str) -> str:
    """The name that the compiler does not know, if it is that what its words say; else empty."""
    match = re.search(r"undeclared reference to '([^']*)'", problem)
    return match[1].removeprefix(".") if match else ""


def _same(wanted: Any, result: Any) -> bool:
    return bool(wanted.name().partition("<")[0] == result.name().partition("<")[0])


def _article(kind: str) -> str:
    return {"boolean": "true or false", "integer": "an integer", "object": "an object"}.get(kind, f"a {kind}")


def _word(kind: str) -> str:
    names = {"INT": "integer", "DOUBLE": "number", "BOOL": "boolean"}
    name = kind.partition("<")[0]
    return _article(names.get(name, name.lower()))


def run(expression: str, program: Program, values: Mapping[str, Any]) -> Any:
    """The value as plain data. Raises ExpressionError."""
    evaluation = _Evaluation(expression)
    long = [(chain, value) for chain in chains(expression) if len(value := _list(values, chain)) > PIECE]
    if not long:
        return evaluation.of(expression, program.engine, values)
    given, variables, rest = dict(values), program.variables, expression
    for number, (chain, elements) in enumerate(reversed(long)):
        name = f"tradewind_list_{number}"
        variables = (*variables, (name, "list"))
        links = expression[chain.links[0][0] : chain.end]
        named = set(words(links))
        others = {other: value for other, value in values.items() if other.partition(".")[0] in named}
        engine, made = _compile(name + links, variables), []
        for at in range(0, len(elements), PIECE):
            made += evaluation.of(name + links, engine, {**others, name: elements[at : at + PIECE]})
        given[name] = made
        rest = rest[: chain.start] + name + rest[chain.end :]
    return evaluation.of(rest, _compile(rest, variables), given)


def _list(values: Mapping[str, Any], chain: Chain) -> list[Any]:
    value = growth.found(values, chain.path)
    return value if isinstance(value, list) else []


class _Evaluation:
    """Of an expression that people wrote, in one piece or several, which take from the same room."""

    def __init__(self, written: str) -> None:
        self._written, self._room = written, Room()

    def of(self, expression: str, engine: Any, values: Mapping[str, Any]) -> Any:
        """The value as plain data. Raises ExpressionError."""
        if growth.bound(expression, values) > growth.LARGEST:
            raise self._error("may make too large a value: compute it in a task")
        if growth.copied(expression, values) > growth.LARGEST:
            raise self._error("goes over too long a list: compute the value in a task")
        try:
            value = engine.eval(data=dict(values))
        except (RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
            if "budget" in str(error):
                raise self._error("too much work for an expression: compute the value in a task") from None
            raise self._error(_cleaned(str(error))) from None
        if value.type() == cel.Type.ERROR:
            raise self._error(_cleaned(str(value.plain_value())))
        try:
            return plain(expression, value, self._room)
        except TooLarge:
            raise self._error("gives too large a value: compute it in a task") from None

    def _error(self, problem: str) -> ExpressionError:
        return ExpressionError(self._written, problem)


def _cleaned(problem: str) -> str:
    return re.sub(r"^[A-Z_]+: ", "", problem)
