"""Rendered texts of an attempt's pod: expressions replaced by their values."""

from collections.abc import Callable
from typing import Any

from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.expressions.interpolation import Evaluate, render, render_tree, written
from tradewind.plan.expressions.room import Room, held


class Unrenderable(ValueError):
    """A value of the task can't be computed. The message names the field, the expression and the problem."""


TEXTS_LIMIT = 1 << 20
"""Bytes of the rendered values of one attempt. An API server stores 1.5 MB; rendering stops before that many are made."""


def _literal(text: str) -> str:
    """Escapes text so that Kubernetes does not expand `$(NAME)` in it."""
    return text.replace("$", "$$")


class Renderer:
    """Renders the values of one attempt's task, or those below another `path`."""

    def __init__(self, task: str, evaluate: Evaluate, path: str = "") -> None:
        self._path, self._evaluate = path or f"spec.tasks.{task}", evaluate
        self._room = Room(TEXTS_LIMIT, "the task's rendered values", "hand over what is long as an artifact")
        self._wider = 0
        """Bytes that texts take besides those that they are sent as."""

    @property
    def size(self) -> int:
        """The bytes that what was rendered takes in memory."""
        return self._room.taken + self._wider

    def plain(self, field: str, text: str, write: Callable[[Any], str] = written) -> str:
        """The text with its expressions rendered. Raises Unrenderable."""
        if "$[[" not in text:
            return text
        try:
            found = render(text, self._evaluate, write)
            sent = len(found.encode(errors="replace"))
            self._room.take_bytes(sent, text)
            self._wider += max(0, held(found) - sent)
        except ExpressionError as error:
            raise Unrenderable(f"{self._path}.{field}: {error}") from None
        return found

    def expandable(self, field: str, text: str) -> str:
        """For fields in which `$(NAME)` is expanded later: references that the user wrote are kept, those from expressions are escaped."""
        return self.plain(field, text, lambda value: _literal(written(value)))

    def variable(self, field: str, text: str) -> str:
        """As `expandable`, for values of environment variables, which can't contain U+0000. Raises Unrenderable."""
        found = self.expandable(field, text)
        if "\0" in found:
            raise Unrenderable(
                f"{self._path}.{field}: contains the character U+0000, which ends a text of the environment"
            )
        return found

    def tree(self, field: str, data: Any) -> Any:
        """Data with its expressions rendered, each as a value of its type. Raises Unrenderable."""
        try:
            return render_tree(data, self._evaluate, self._room)
        except ExpressionError as error:
            raise Unrenderable(f"{self._path}.{field}: {error}") from None
