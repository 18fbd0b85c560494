"""Error messages for invalid YAML that say what to write."""

import re
from collections.abc import Callable, Sequence
from typing import Any

Words = Callable[[re.Match[str], Any], str]
"""Makes a message from the parser's words and its error."""


def explained(error: Any) -> str:
    """The message for an error of the parser."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", "") or "")
    for pattern, words in _WORDS:
        if match := re.fullmatch(pattern, problem):
            return words(match, error)
    return (
        "this can't be read; check the indentation, and quote texts that contain any of : { } [ ] , # & * ! | > % @ `"
    )


def place(error: Any, text: str) -> tuple[int, int]:
    """Line and column, counted from 1."""
    if mark := getattr(error, "problem_mark", None):
        return mark.line + 1, mark.column + 1
    found = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    before = text[: found.start()] if found else ""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _indentation(match: re.Match[str], error: Any) -> str:
    here, above = error.problem_mark, error.context_mark
    if above is None or here.column == above.column:
        return _stray(match, error)
    if here.line == above.line:
        return "one thing too many on this line; quote the text"
    instead = "indent what is on one level equally"
    return f"this line is indented by {here.column}, the ones above by {above.column}; {instead}"


def _stray(match: re.Match[str], error: Any) -> str:
    return f"{match['found']!r} is not expected here; quote the text, or check the indentation"


def _unclosed(match: re.Match[str], error: Any) -> str:
    line = error.context_mark.line + 1 if error.context_mark else error.problem_mark.line + 1
    end = match["end"]
    if match["found"] == ":" and error.problem_mark.line + 1 == line:
        return "a `: ` in text without quotes; quote the text"
    return f"{end} is missing: what begins on line {line} is not closed; write {end}, or quote the text"


def _template(words: str) -> Words:
    return lambda match, error: words.format(**match.groupdict())


_COLON = _template(
    "a `: ` in text without quotes, or a line that is indented too far; quote the text, or indent it less"
)
_CONTROL = _template("a control character; remove it")
_WORDS: Sequence[tuple[str, Words]] = (
    (r"found character '\\t' that cannot start any token", _template("a tab; indent with spaces")),
    (
        r"found character (?P<char>.+) that cannot start any token",
        _template("text can't begin with {char} here; quote the text"),
    ),
    (r"mapping values are not allowed (here|in this context)", _COLON),
    (
        r"expected <block end>, but found '?<?(?P<found>(block mapping start|block sequence start|block entry|block end|scalar|-|\?))>?'?",
        _indentation,
    ),
    (r"expected <block end>, but found '(?P<found>.+)'", _stray),
    (r"did not find expected key", _template("neither `key: value` nor an entry `- value`; check the indentation")),
    (r"expected '?,'? or '(?P<end>[}\]])', but got '?<?(?P<found>[^>']+)>?'?", _unclosed),
    (
        r"found undefined alias '?(?P<name>[^']+)'?",
        _template("there is no anchor &{name} above; define it, or quote the text"),
    ),
    (r"found duplicate anchor.*", _template("this anchor is there twice; rename one")),
    (
        r"(could not find expected|while scanning a simple key).*",
        _template("not `key: value`; write a colon and a space after the key"),
    ),
    (
        r"found unexpected end of stream",
        _template("the quoted text that begins here is not closed; write the other quote"),
    ),
    (
        r"found unknown escape character '(?P<char>.+)'",
        _template("\\{char} is not an escape in double quotes; write single quotes, or \\\\{char}"),
    ),
    (
        r"found invalid Unicode character escape code.*",
        _template("an escape of a character that doesn't exist; use another"),
    ),
    (
        r"expected escape sequence of .*",
        _template("an escape that is not complete; write single quotes for plain text"),
    ),
    (r"(special characters are not allowed|control characters are not allowed|unacceptable character.*)", _CONTROL),
    (
        r"could not determine a constructor for the tag '(?P<tag>.+)'",
        _template("a tag that no manifest has; remove it, or quote the text"),
    ),
    (
        r"expected '<document start>', but found .*",
        _template("text before or after the document; check the indentation, or write --- between documents"),
    ),
    (r"expected a mapping .*for merging.*", _template("<< merges mappings only; name the anchor of one")),
    (r"found unhashable key", _template("a key is a text here, not a list or a mapping")),
)
