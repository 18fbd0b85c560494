"""The order of environment variables: a variable that refers to others by `$(NAME)` comes after them."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$|\$\(([^)]{1,253})\)")


def ordered(env: Mapping[str, str]) -> list[str]:
    """The names sorted, except that a variable comes after the ones that it refers to. Variables that refer to each
    other in a circle are sorted by name."""
    found: dict[str, None] = {}
    for name in sorted(env):
        stack = [(name, iter(_references(env, name)))]
        under_way = {name}
        while stack:
            at, below = stack[-1]
            other = next((other for other in below if other not in found and other not in under_way), None)
            if other is None:
                found[at] = None
                stack.pop()
            else:
                under_way.add(other)
                stack.append((other, iter(_references(env, other))))
    return [*found]


def _references(env: Mapping[str, str], name: str) -> list[str]:
    return sorted({match[1] for match in _REFERENCE.finditer(env[name]) if match[1] in env and match[1] != name})
