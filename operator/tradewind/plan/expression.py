"""`$[[ CEL ]]` in values: compiled against what is declared, evaluated against what is so.

Variables are declared by their dotted names (`params.region`, `tasks.erp.outputs`), so that the compiler itself finds names that
don't exist and types that don't fit. In CEL a task's `-` is written `_`: `tasks.load_erp.outputs.rows`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

_TEMPLATE = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_TASK = re.compile(r"\btasks\.([A-Za-z_][A-Za-z0-9_]*)")
_POSITION = re.compile(r"<input>:\d+:(-?\d+): (.*)")
MAX_LENGTH = 4_096

STRING, INT, DOUBLE, BOOL = cel.Type.STRING, cel.Type.INT, cel.Type.DOUBLE, cel.Type.BOOL
OUTPUTS = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
PARAM_TYPES = {"string": STRING, "integer": INT, "number": DOUBLE, "boolean": BOOL}


class ExpressionError(ValueError):
    """An expression that does not compile or can't be evaluated. `problem` says what is wrong, without the expression."""

    def __init__(self, expression: str, problem: str, column: int | None = None) -> None:
        self.expression, self.problem, self.column = expression, problem, column
        where = f" (at character {column})" if column and column > 0 else ""
        shown = expression if len(expression) <= 120 else f"{expression[:117]}..."
        super().__init__(f"`{shown}`{where}: {problem}")


def cel_name(task: str) -> str:
    """A task's name as an identifier: CEL reads `-` as minus, and no task has a `_` in its name."""
    return task.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions of one task may name: `{param: type}` and the tasks upstream of it."""

    params: tuple[tuple[str, str], ...] = ()
    tasks: frozenset[str] = frozenset()


@lru_cache(maxsize=512)
def _environment(params: tuple[tuple[str, str], ...], tasks: frozenset[str]) -> Any:
    variables = {"run.name": STRING, "run.namespace": STRING, "run.uid": STRING, "run.dag": STRING, "run.attempt": INT}
    variables |= {f"params.{name}": PARAM_TYPES[kind] for name, kind in params}
    variables |= {f"tasks.{cel_name(task)}.outputs": OUTPUTS for task in tasks}
    return cel.NewEnv(variables=variables)


@lru_cache(maxsize=8192)
def _compile(expression: str, params: tuple[tuple[str, str], ...], tasks: frozenset[str]) -> Any:
    return _environment(params, tasks).compile(expression)


def compiled(expression: str, scope: Scope) -> Any:
    """The compiled expression. Raises ExpressionError with the position and, for unknown names, what there is."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(expression, f"longer than {MAX_LENGTH} characters: compute the value in a task")
    named = {task for task in scope.tasks if cel_name(task) in _TASK.findall(expression)}
    try:
        return _compile(expression, scope.params, frozenset(named))
    except RuntimeError as error:
        match = _POSITION.search(str(error))
        column, problem = (int(match[1]), match[2]) if match else (None, str(error))
        raise ExpressionError(expression, _explained(problem, scope), column) from None


def _explained(problem: str, scope: Scope) -> str:
    """The compiler's words, with what the user could have meant."""
    problem = problem.removesuffix(" [INVALID_ARGUMENT]").removesuffix(" (in container '')")
    match = re.search(r"undeclared reference to '([^']*)'", problem)
    if not match:
        return problem
    name = match[1].removeprefix(".")
    root, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    if root == "params":
        there = ", ".join(f"params.{param}" for param, _ in scope.params) or "none"
        return f"there is no params.{first}; declared are: {there}" if first else f"name a param: {there}"
    if root == "tasks":
        there = ", ".join(sorted(f"tasks.{cel_name(task)}" for task in scope.tasks)) or "none"
        if first and first in {cel_name(task) for task in scope.tasks}:
            return f"tasks.{first} has only `outputs`: write tasks.{first}.outputs.NAME"
        what = f"tasks.{first} is not upstream of this task" if first else "write tasks.NAME.outputs.KEY"
        return f"{what}; upstream are: {there}"
    if root == "run":
        return f"there is no {name}; there are run.name, run.namespace, run.uid, run.dag and run.attempt"
    return f"there is no {name!r}; expressions name params.NAME, tasks.NAME.outputs.KEY and run.name"


def evaluate(expression: str, scope: Scope, values: Mapping[str, Any]) -> Any:
    """The value as plain data. `values` maps dotted names to plain data. Raises ExpressionError."""
    program = compiled(expression, scope)
    try:
        value = program.eval(data=dict(values))
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        if "budget" in str(error):
            raise ExpressionError(expression, "too much work for an expression: compute the value in a task") from None
        raise ExpressionError(expression, str(error)) from None
    if value.type() == cel.Type.ERROR:
        raise ExpressionError(expression, _runtime_problem(str(value.plain_value()), expression, values))
    return value.plain_value()


def _runtime_problem(problem: str, expression: str, values: Mapping[str, Any]) -> str:
    """The evaluator's words; for a missing output, which outputs there are."""
    problem = re.sub(r"^[A-Z_]+: ", "", problem)
    if not problem.startswith("Key not found"):
        return problem
    key = problem.rpartition(": ")[2].strip('"')
    there = [
        f"tasks.{task}.outputs has {', '.join(sorted(values[f'tasks.{task}.outputs'])) or 'no keys'}"
        for task in dict.fromkeys(_TASK.findall(expression))
        if f"tasks.{task}.outputs" in values
    ]
    return "; ".join([f"there is no key {key!r}", *there])


def expressions(text: str) -> list[str]:
    """The expressions inside a value. Raises ExpressionError for a `$[[` that is never closed."""
    rest = _TEMPLATE.sub("", text)
    if "$[[" in rest:
        raise ExpressionError(text, "`$[[` without `]]`: close the expression; a `]]` inside one is written `] ]`")
    return [match.strip() for match in _TEMPLATE.findall(text)]


def check(text: str, scope: Scope) -> None:
    """Raises ExpressionError for the first expression in `text` that does not compile."""
    for expression in expressions(text):
        compiled(expression, scope)


def render(text: str, scope: Scope, values: Mapping[str, Any], write: Callable[[Any], str]) -> str:
    """`text` with each expression replaced by its value, written by `write`. Raises ExpressionError."""
    expressions(text)
    return _TEMPLATE.sub(lambda match: write(evaluate(match[1].strip(), scope, values)), text)


def written(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
