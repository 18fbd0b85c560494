"""Kubernetes' `$(NAME)` expansion in commands, arguments and environment values."""

import re
from collections.abc import Mapping

# The bound keeps the search from growing with the square of a text that opens many parentheses and closes none.
_REFERENCE = re.compile(r"\$\$|\$\(([^)]{0,1024})\)")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replaces `$(NAME)` by the variable's value if it is known and keeps it otherwise; `$$` becomes `$`.
    Source: "Define dependent environment variables" in the Kubernetes documentation."""
    return _REFERENCE.sub(lambda match: "$" if match[0] == "$$" else env.get(match[1], match[0]), text)
