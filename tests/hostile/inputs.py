"""Inputs: objects that a tenant writes, as text, so that they can be what no library would write."""

import json
from dataclasses import dataclass
from typing import Any

from tradewind import API_VERSION

Body = dict[str, Any]
NAME, WEB, PORT = "@NAME@", "@WEB@", "@PORT@"
"""Placeholders in an input's objects: its own name, the address of the hostile web server, and its port."""
TIMEOUT = 5.0
"""Seconds that runs of inputs may take, unless the input is about that."""
_DEEP = "@DEEP:"


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """What a tenant writes: objects, in order."""

    generator: str
    what: str
    """For people: the field and its content."""
    objects: tuple[Body, ...]
    timeout: float | None = TIMEOUT
    """Seconds after which its runs must have ended; None if the input sets another limit."""
    forbidden: str = ""
    """A task that must not succeed."""
    most: int = 40
    """Runs that it may cause while a batch is played in the usual time."""
    number: int = 0

    @property
    def name(self) -> str:
        """Its own name, from which those of its objects are made."""
        return f"i{self.number}"

    def written(self, web: str) -> list[tuple[Body, bytes]]:
        """Kind and metadata of each object, and its JSON."""
        return [(self._filled(body, web)[0], self._filled(body, web)[1]) for body in self.objects]

    def _filled(self, body: Body, web: str) -> tuple[Body, bytes]:
        text = json.dumps(body).replace(NAME, self.name).replace(WEB, web).replace(PORT, web.rpartition(":")[2])
        while _DEEP in text:
            before, _, rest = text.partition(f'"{_DEEP}')
            spec, _, after = rest.partition('"')
            text = before + _nested(spec) + after
        head = {"kind": body["kind"], "apiVersion": body.get("apiVersion", API_VERSION)}
        return head, text.encode()


def deep(levels: int, shape: str = "list") -> str:
    """A placeholder for this many levels of lists, or of maps."""
    return f"{_DEEP}{levels}:{shape}"


def _nested(spec: str) -> str:
    levels, _, shape = spec.partition(":")
    opening, closing = {"list": ("[", "]"), "map": ('{"a":', "}"), "mixed": ('[{"a":', "}]")}[shape]
    return opening * int(levels) + ("1" if shape != "list" else "") + closing * int(levels)


def made(kind: str, spec: Any, name: str = NAME, **metadata: Any) -> Body:
    """An object."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def dag(tasks: Any, **spec: Any) -> Body:
    """A DAG with the usual timeout."""
    return made("DAG", {"timeout": f"{TIMEOUT:.0f}s", "tasks": tasks, **spec})


def run(params: Any = None, **spec: Any) -> Body:
    """A run of the input's DAG."""
    return made("DAGRun", {"dag": NAME, **({"params": params} if params is not None else {}), **spec})


def runs(tasks: Any, given: Any = None, /, **spec: Any) -> tuple[Body, ...]:
    """A DAG, and a run of it with params."""
    return dag(tasks, **spec), run(given)
