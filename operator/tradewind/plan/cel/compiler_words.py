"""Messages for CEL compiler errors: what is wrong, and what to write instead."""

import re
from collections.abc import Callable, Sequence

_TYPES = {
    "int": "an integer",
    "uint": "an unsigned integer",
    "double": "a number",
    "string": "text",
    "bool": "a boolean",
    "bytes": "bytes",
    "null_type": "null",
    "timestamp": "a point in time",
    "google.protobuf.Timestamp": "a point in time",
    "duration": "a duration",
    "google.protobuf.Duration": "a duration",
    "dyn": "any value",
}
_WORDED = {
    "and": "write && for and",
    "or": "write || for or",
    "not": "write ! for not",
    "is": "write == to compare",
    "if": "write CONDITION ? THIS : THAT",
}
_MIXED = "write double(...) around the integer, or a decimal point"
_HINTS: dict[tuple[str, ...], str] = {
    ("double", "int"): _MIXED,
    ("int", "double"): _MIXED,
    ("string", "int"): "convert one: string(...) or int(...)",
    ("int", "string"): "convert one: string(...) or int(...)",
    ("string", "double"): "convert one: string(...) or double(...)",
    ("double", "string"): "convert one: string(...) or double(...)",
}


def compiler_message(problem: str, expression: str) -> str:
    """The compiler's message in the words of the documentation. Messages about unknown names are left as they are."""
    for pattern, words in _PATTERNS:
        if match := re.fullmatch(pattern, problem, re.DOTALL):
            return words(match, expression)
    return "this is not an expression; see the page on expressions" if problem.startswith("Syntax error") else problem


def evaluator_message(problem: str) -> str:
    """An evaluation's message, reworded where needed."""
    if problem.startswith("String to Timestamp conversion failed"):
        return "not a point in time; write one such as 2026-01-31T06:00:00Z"
    return problem


def _end(match: re.Match[str], expression: str) -> str:
    if not expression.strip():
        return "empty; write an expression"
    if missing := match.groupdict().get("missing"):
        return f"the expression ends too early; {missing!r} is missing"
    return "the expression ends too early; write what is missing, or remove the last sign"


def _unexpected(match: re.Match[str], expression: str) -> str:
    token = match["token"]
    for word, hint in _WORDED.items():
        if re.search(rf"(?<![\w.'\"]){word}\b", expression):
            return f"{token!r} is not expected here; {hint}"
    if "??" in expression:
        return f"{token!r} is not expected here; write has(X) ? X : OTHER"
    if token == ")":  # noqa: S105 - a sign
        return "')' closes nothing; remove it, or write '(' before"
    return f"{token!r} is not expected here; check what stands before it"


def _character(match: re.Match[str], expression: str) -> str:
    token = match["token"].strip()
    if token == "=":  # noqa: S105 - a sign
        return "'=' is not expected here; write == to compare"
    if token[:1] in "'\"":
        if "\\" in token:
            return "an unknown escape; write \\\\ for a backslash"
        return f"a text that is not closed; write {token[:1]} at its end"
    return f"{token[:40]!r} has no meaning here; quote it if it is text"


def _overload(match: re.Match[str], _: str) -> str:
    name, types = match["name"], [*_split(match["types"])]
    hint = _HINTS.get(tuple(kind.partition("(")[0] for kind in types), "")
    more = f"; {hint}" if hint else ""
    if name == "_?_:_":
        if types[0] not in ("bool", "dyn"):
            return f"before ? stands {_type(types[0])}; write a condition"
        return f"either side of : gives another type, {_type(types[1])} and {_type(types[2])}{more}"
    if name == "_[_]":
        return f"[ ] is for lists and mappings, not for {_type(types[0])}"
    if name == "@in":
        return "in is for lists and mappings; write TEXT.contains(PART) for texts"
    operator = re.fullmatch(r"(_?)([^\w@]+)_", name)
    if operator and operator[1]:
        return f"{operator[2]} can't be used between {_type(types[0])} and {_type(types[1])}{more}"
    if operator:
        return f"{operator[2]} can't be used on {_type(types[0])}"
    return f"{name} can't be used with {', '.join(map(_type, types)) or 'nothing'}"


def _split(types: str) -> list[str]:
    """The types of a list; commas within parentheses don't separate them."""
    found, depth = [""], 0
    for char in types:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            found.append("")
        else:
            found[-1] += char
    return [kind.strip() for kind in found if kind.strip()]


def _type(kind: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    name = kind.partition("(")[0]
    return {"list": "a list", "map": "an object", "wrapper": "a value"}.get(name, name)


def _fields(match: re.Match[str], _: str) -> str:
    return f"{_type(match['type'])} has no fields; only objects have"


_PATTERNS: Sequence[tuple[str, Callable[[re.Match[str], str], str]]] = (
    (r"Syntax error: mismatched input '<EOF>' expecting '(?P<missing>.)'", _end),
    (r"Syntax error: mismatched input '<EOF>' expecting \{'(?P<missing>[\])}])', ','\}", _end),
    (r"Syntax error: missing '(?P<missing>.+)' at '<EOF>'", _end),
    (r"Syntax error: .*'<EOF>' expecting .*", _end),
    (r"Syntax error: (?:mismatched|extraneous) input '(?P<token>.+?)' expecting .*", _unexpected),
    (r"Syntax error: no viable alternative at input '(?P<token>.+)'", _unexpected),
    (r"Syntax error: missing .* at '(?P<token>.+)'", _unexpected),
    (r"Syntax error: token recognition error at: '(?P<token>.+)'", _character),
    (r"found no matching overload for '(?P<name>[^']+)' applied to '\((?P<types>.*)\)'", _overload),
    (r"expression of type '(?P<type>.+)' cannot be the operand of a select operation", _fields),
    (r"has\(\) argument must be a field selection", lambda *_: "has() asks for a field; write has(OBJECT.FIELD)"),
    (
        r"(?P<macro>\w+)\(\) variable name must be a simple identifier",
        lambda match, _: f"{match['macro']}() begins with a name for each entry; write LIST.{match['macro']}(x, ...)",
    ),
    (
        r"reserved identifier: (?P<name>\w+)",
        lambda match, _: f"{match['name']} is a word of CEL's own; write another name",
    ),
    (r"invalid (?:int|uint|double) literal", lambda *_: "a number of more than 64 bits; write a smaller one, or text"),
    (
        r"(?:INVALID_ARGUMENT: )?Unsupported map key type: .*",
        lambda *_: "a mapping has texts, integers or booleans as keys; write string(...) around others",
    ),
    (r".*recursion limit exceeded.*", lambda *_: "more than 32 levels of parentheses; compute a part in a task before"),
)
