"""The tokens of an expression, as CEL reads them."""

import re

MAX_LENGTH = 4_096
"""Characters of an expression."""
TOKEN = re.compile(
    r"""(?P<gap>\s+|//[^\n]*)
    |(?P<string>(?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*|`[^`\n]*`)
    |(?P<number>\d[\w.]*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


def tokens(expression: str) -> list[re.Match[str]]:
    """The tokens of an expression, without whitespace and comments; empty if it is too long to compile."""
    if len(expression) > MAX_LENGTH:
        return []  # the time of the search grows with the square of the length
    return [match for match in TOKEN.finditer(expression) if match.lastgroup != "gap"]
