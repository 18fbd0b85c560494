"""Bugs, planted on purpose: a checker that finds none of these proves nothing."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

PLANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {"": contextlib.nullcontext}
