"""Faults on demand: more than a real server offers, in sequence, and reproducible by a seed."""

import random
import re
from dataclasses import dataclass, field
from typing import Literal

What = Literal["error", "reset", "hang", "delay", "gone", "drop", "stall", "duplicate", "stale"]


@dataclass
class Fault:
    """What happens to matching requests. `error` answers `code` (409, 429, 5xx, 403) and `reset` cuts the connection,
    both before the request takes effect or, with `after`, afterwards; `hang` takes effect and never answers; `delay`
    waits `seconds`. `stale` answers a list as it was `back` writes ago. For watches: `gone` sends 410 in the stream,
    `drop` ends it, `stall` goes silent, `duplicate` sends every event twice, `delay` sends each one `seconds` late."""

    what: What
    verb: str = ".*"
    resource: str = ".*"
    name: str = ".*"
    code: int = 500
    after: bool = False
    seconds: float = 0.0
    retry_after: int | None = None
    back: int = 0
    skip: int = 0
    """Matching requests that are spared first."""
    times: int | None = 1
    """How many requests are hit; None for all."""
    probability: float = 1.0
    hits: int = field(default=0, init=False)

    def matches(self, verb: str, resource: str, name: str) -> bool:
        """Whether the fault applies to a request."""
        return bool(
            re.fullmatch(self.verb, verb) and re.fullmatch(self.resource, resource) and re.fullmatch(self.name, name)
        )


class Faults:
    """The active faults."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def add(self, fault: Fault) -> Fault:
        """Activates one more fault."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Removes all faults."""
        self._faults.clear()

    def hit(self, verb: str, resource: str, name: str) -> Fault | None:
        """The fault that hits this request, if any."""
        for fault in self._faults:
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if not fault.matches(verb, resource, name):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self._random.random() < fault.probability:
                fault.hits += 1
                return fault
        return None
