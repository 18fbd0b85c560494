"""Replaces `inputs.NAME` by values in the texts of a template.

Expressions get literals, and `(E)` for a value that is `$[[ E ]]`; whatever then depends on nothing else is evaluated
immediately. A value that is a whole text keeps its type. Scripts are left alone."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tradewind.model.base import Model, Role
from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.tokens import MAX_LENGTH
from tradewind.plan.documents import budget
from tradewind.plan.documents.place import Place
from tradewind.plan.documents.problem import ENOUGH, Problem
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.literal import OPEN, alone, inner, literal, references, spans
from tradewind.plan.expressions.room import LONGEST
from tradewind.plan.outcomes.trigger_rule import RULES
from tradewind.plan.templates.inputs import Inputs, Secret
from tradewind.plan.templates.overlay import overlaid
from tradewind.plan.templates.text_walk import OMIT, bare, size_of, walked

_IN_SCRIPT = re.compile(r"\$\[\[\s*inputs\.")


@dataclass(frozen=True, slots=True)
class _Code:
    """An expression that is evaluated when a task starts."""

    text: str


@dataclass(slots=True)
class Substitution:
    """Puts inputs into a template's body."""

    inputs: Inputs
    place: Place
    """The place of the body."""
    problems: list[Problem] = field(default_factory=list)
    sampled: set[Place] = field(default_factory=set)
    """Places whose values are samples: the template is not to blame for problems of their contents."""

    def body(self, kind: type[Model], body: Any) -> Any:
        """The body, without `inputs`."""
        return walked(kind, body, self.place.path, self._text)

    def _text(self, text: str, path: str, role: Role | None, kind: Any) -> Any:
        if "inputs" not in text:
            return text
        try:
            match role:
                case Role.SCRIPT:
                    if _IN_SCRIPT.search(text):
                        self._problem(path, "a script is never interpolated", "pass the input by env")
                    return text
                case Role.EXPRESSION:
                    return self._condition(text, path)
                case _:
                    return self._value(text, path, kind)
        except ExpressionError as error:
            self._problem(path, str(error))
            return OMIT

    def _problem(self, path: str, what: str, instead: str = "") -> None:
        self.problems.append(self._at(path).problem(what, instead))

    def _at(self, path: str) -> Place:
        return Place(path, self.place.document, self.place.user)

    def _condition(self, text: str, path: str) -> str:
        """A field that is an expression. The name of a trigger rule can be an input too."""
        name = interpolation.whole(text) or text.strip()
        if path.endswith(".triggerRule") and (only := alone(name)):
            rule = self._input(name, only)
            if only in self.inputs.sampled:
                self.sampled.add(self._at(path))
            if rule in RULES:
                return str(rule)
        return text if "$[[" in text else self._replaced(text)

    def _value(self, text: str, path: str, kind: Any) -> Any:
        if "$[[" not in text:
            return text
        interpolation.expressions(text)
        expression = interpolation.whole(text)
        if not expression:
            return self._fitting(self._inside(text), text, path, kind)
        found = self._evaluated(expression)
        if isinstance(found, _Code):
            found = text if found.text == expression else f"$[[ {found.text.strip()} ]]"
        return self._fitting(found, text, path, kind)

    def _fitting(self, found: Any, text: str, path: str, kind: Any) -> Any:
        """The value, converted to text if the field is one; omitted if it is made from samples and does not fit the
        field."""
        if bare(kind)[0] is str and not isinstance(found, str | Secret):
            found = _written(found)
        named = {
            reference.name for expression in interpolation.expressions(text) for reference in references(expression)
        }
        if named & self.inputs.sampled:
            if not interpolation.leaves(found, ""):
                self.sampled.add(self._at(path))
            try:
                TypeAdapter(kind).validate_python(found)
            except ValidationError:
                return OMIT
        return found

    def _evaluated(self, expression: str) -> Any:
        """The result of `$[[ expression ]]`: a value, or an expression for later."""
        if only := alone(expression):
            return copy.copy(self._input(expression, only))
        named = {reference.name for reference in references(expression)}
        if not named:
            return _Code(expression)
        text = self._replaced(expression)
        left = budget.current()
        if named & self.inputs.sampled or left.wrong >= ENOUGH:
            return _Code(text)
        pacing.pause()
        try:
            program = compiler.compiled(text, (), str)
        except ExpressionError as error:
            left.wrong += not error.problem.startswith(compiler.UNDECLARED)
            return _Code(text)  # it names something else too, or is invalid, which is reported when all else is known
        return compiler.run(program, {}) if program.plain_result else _Code(text)

    def _inside(self, text: str) -> str:
        """A text with expressions in which the known values are filled in."""
        parts: list[tuple[str, Any]] = []
        end = 0
        for span in spans(text):
            parts += [("text", text[end : span[0]]), ("value", self._evaluated(inner(text, span)))]
            end = span[1]
        parts.append(("text", text[end:]))
        self._check_size(parts)
        written = self._assembled(parts, _written)
        if written is None:  # a value must not form an expression with the text around it
            written = self._assembled(parts, lambda value: _quoted(literal(value)))
        return text if written is None else written

    def _check_size(self, parts: list[tuple[str, Any]]) -> None:
        """Raises ExpressionError for a text that would be too long with its inputs."""
        left = float(LONGEST)
        for _, part in parts:
            left -= size_of(part, left)
            if left < 0:
                words = f"with its inputs it is longer than {LONGEST // 1024} KiB"
                raise ExpressionError("inputs", words)

    def _assembled(self, parts: list[tuple[str, Any]], write: Callable[[Any], str]) -> str | None:
        """The text; None if it would contain other expressions than intended."""
        found, expressions = "", []
        for sort, part in parts:
            if sort == "text":
                piece = part
            elif isinstance(part, _Code):
                piece = _quoted(part.text)
            else:
                piece = write(part)
            if sort == "value":
                expressions += [(len(found) + start, len(found) + end) for start, end in spans(piece)]
            found += piece
        if [*spans(found)] != expressions:
            return None
        return None if OPEN in found[expressions[-1][1] if expressions else 0 :] else found

    def _replaced(self, expression: str) -> str:
        found, end = "", 0
        for reference in references(expression):
            found += expression[end : reference.start] + literal(self._plain_input(expression, reference.name))
            end = reference.end
            if len(found) > MAX_LENGTH:  # it names its inputs hundreds of times, and each may be large
                raise ExpressionError(expression, f"longer than {MAX_LENGTH} characters with its inputs written out")
        return found + expression[end:]

    def _input(self, expression: str, name: str) -> Any:
        if name not in self.inputs.values:
            there = ", ".join(f"inputs.{name}" for name in sorted(self.inputs.values)) or "none"
            what = f"there is no inputs.{name}" if name else "write inputs.NAME"
            raise ExpressionError(expression, f"{what}; declared are: {there}")
        return self.inputs.values[name]

    def _plain_input(self, expression: str, name: str) -> Any:
        value = self._input(expression, name)
        if isinstance(value, Secret):
            words = f"inputs.{name} is a secret: it can only be the whole value of an environment variable"
            raise ExpressionError(expression, words)
        return value


def _quoted(expression: str) -> str:
    return f"$[[ {expression.strip()} ]]"


def _written(value: Any) -> str:
    if isinstance(value, Secret):
        raise ExpressionError("inputs", "a secret can only be the whole value of an environment variable")
    if not isinstance(value, str) and interpolation.leaves(value, ""):
        return _quoted(literal(value))
    return interpolation.written(value)


def _plain(value: Any) -> bool:
    """Whether a value can be stored in a document without change."""
    match value:
        case str():
            return "$[[" not in value
        case None | bool() | int() | float():
            return True
        case list():
            return all(map(_plain, value))
        case dict():
            return all(isinstance(name, str) and _plain(item) for name, item in value.items())
        case _:
            return False


def with_references(body: Any) -> Any:
    """The settings of a task with secret variables turned into references."""
    env = body.get("env") if isinstance(body, dict) else None
    if not isinstance(env, dict) or not any(isinstance(value, Secret) for value in env.values()):
        return body
    found = {name: value for name, value in env.items() if not isinstance(value, Secret)}
    secrets = {name: {"secretKeyRef": dict(value)} for name, value in env.items() if isinstance(value, Secret)}
    return overlaid({"envFrom": secrets}, {**body, "env": found})
