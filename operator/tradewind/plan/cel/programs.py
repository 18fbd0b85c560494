"""A cache of compiled programs, limited by size rather than number, since tenants decide the length of expressions."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

from tradewind.plan.cel.macros import expanded
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.tree import read
from tradewind.plan.cel.tree_rewrite import SETTLED, settled

PER_CHARACTER, PER_PROGRAM, PER_ENVIRONMENT = 256, 8 * 1024, 300 * 1024
"""Bytes per character and per program, including its tree, and per set of variables. Measured: nested loops take up to
240 a character, an environment with the extensions 300 KiB."""
Variables = tuple[tuple[str, str], ...]
"""Dotted names and their types."""


class Programs:
    """At most `room` bytes of programs, the most recently used. `environment` makes the part that programs with the
    same variables share."""

    def __init__(self, room: int, environment: Callable[[Variables], Any]) -> None:
        self.room, self._make = room, environment
        self._kept: OrderedDict[tuple[str, Variables], Program] = OrderedDict()
        self._environments: dict[Variables, Any] = {}
        self._users: Counter[Variables] = Counter()
        self._latest: tuple[Variables, Any] = ((), None)
        """The latest environment: making it takes longer than compiling, and a failed compilation leaves no program
        that would keep it."""
        self._lock = Lock()
        self.size = 0

    def fresh(self) -> "Programs":
        """An empty cache with the same settings."""
        return Programs(self.room, self._make)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, expression: str, variables: Variables) -> Program:
        """The program of an expression. Raises the compiler's errors."""
        key = (expression, variables)
        with self._lock:
            if found := self._kept.get(key):
                self._kept.move_to_end(key)
                return found
            latest = self._latest[1] if self._latest[0] == variables else None
            environment = self._environments.get(variables) or latest
        if environment is None:
            environment = self._make(variables)
            self._latest = variables, environment
        program = Program(expression, variables, environment, _compiled(environment, expression))
        with self._lock:
            if key not in self._kept:
                self._keep(key, program, environment)
        return program

    def _keep(self, key: tuple[str, Variables], program: Program, environment: Any) -> None:
        expression, variables = key
        self._kept[key] = program
        self.size += _weight(expression)
        self._users[variables] += 1
        if self._users[variables] == 1:
            self._environments[variables] = environment
            self.size += PER_ENVIRONMENT
        while self.size > self.room and len(self._kept) > 1:
            self._drop()

    def _drop(self) -> None:
        (expression, variables), _ = self._kept.popitem(last=False)
        self.size -= _weight(expression)
        self._users[variables] -= 1
        if not self._users[variables]:
            del self._users[variables], self._environments[variables]
            self.size -= PER_ENVIRONMENT


def _compiled(environment: Any, expression: str) -> Any:
    engine = environment.compile(expanded(expression))
    if any(word in expression for word in SETTLED) and (ordered := settled(read(engine.serialize()))):
        return environment.deserialize(ordered)
    return engine


def _weight(expression: str) -> int:
    return PER_PROGRAM + PER_CHARACTER * len(expression)
