"""Text in HTML and SVG: escaped, with control characters and those that change the direction of text made visible."""

import html
import re
from collections.abc import Mapping

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_ANSI = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
"""Sequences of a terminal."""


def text(value: object, longest: int = 0) -> str:
    """A text for HTML. With `longest`, cut after that many characters."""
    plain = _ANSI.sub("", str(value))
    if longest and len(plain) > longest:
        plain = f"{plain[:longest]}…"
    shown = _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", plain)
    return html.escape(shown, quote=True)


def tag(name: str, attributes: Mapping[str, object], inner: str = "") -> str:
    """An element. Attributes are escaped, `inner` is markup already."""
    given = "".join(f' {key}="{text(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{inner}</{name}>"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table; cells are markup already."""
    head = "".join(f"<th>{text(item)}</th>" for item in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
