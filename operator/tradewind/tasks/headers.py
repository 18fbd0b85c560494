"""Which headers the author of a request may set, and which of them hold secrets."""

import re
from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
FRAMING = frozenset({
    "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that frame the message or describe the connection. Only the sender sets them: an author could use them to
make one request look like two. Source: RFC 9110, section 7.6.1, and RFC 9112, section 6."""


def unfit(name: str) -> str:
    """Why a request can't have a header of this name; empty if it can."""
    if not _TOKEN.fullmatch(name):
        return f"{name[:80]!r} is not the name of a header"
    if name.lower() in FRAMING or name.lower().startswith("proxy-"):
        return f"{name} is set by the sender itself: it frames the message or concerns the connection"
    return ""


def first_unfit(names: Iterable[str]) -> str:
    """What is wrong with the first header that a request can't have; empty if all are fine."""
    return next(filter(None, map(unfit, names)), "")


def secret(headers: Mapping[str, str]) -> bool:
    """Whether headers, before `$(NAME)` in them is expanded, may hold values of Secrets; such headers go to one server
    only."""
    return any("$(" in text for text in headers.values())
