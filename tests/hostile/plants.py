"""Former faults, planted again: a suite that misses them proves nothing. They are planted in the process of the
operator, and in that of the API server if its schemas would stop the input."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VARIABLE = "HOSTILE_PLANT"


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, and the inputs that can find it."""

    what: str
    generators: tuple[str, ...]
    put: Callable[[], None]
    oracles: tuple[str, ...]
    """The oracles that may see it."""
    only: str = ""
    """A text in the description of the inputs that can find it, if not all of a generator's can."""
    lax: bool = False
    """Whether schemas of the API server have no patterns."""


PLANTS: dict[str, Plant] = {}


def plant(
    name: str, what: str, *generators: str, oracles: tuple[str, ...], only: str = "", lax: bool = False
) -> Callable[[Callable[[], None]], None]:
    """Registers a fault."""

    def registered(put: Callable[[], None]) -> None:
        PLANTS[name] = Plant(what, generators, put, oracles, only, lax)

    return registered


def put_back() -> str:
    """Plants the fault that the environment names."""
    name = os.environ.get(VARIABLE, "")
    if name:
        PLANTS[name].put()
    return name


def crds(manifests: list[Any]) -> list[Any]:
    """The CRDs of the API server."""
    name = os.environ.get(VARIABLE, "")
    return [_without_patterns(each) for each in manifests] if name and PLANTS[name].lax else manifests


def _without_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_patterns(each) for each in node]
    if not isinstance(node, dict):
        return node
    dropped = {"pattern", "x-kubernetes-validations", "maxLength"}
    return {
        key: _without_patterns(value)
        for key, value in node.items()
        if key not in dropped or not isinstance(value, str | int | list)
    }


def _put(owner: Any, name: str, value: Any) -> None:
    """Replaces what `owner` has by this name. Raises AttributeError: a fault that is put nowhere would never be found."""
    getattr(owner, name)
    setattr(owner, name, value)


def _nothing(*_: Any, **__: Any) -> None:
    """Checks nothing."""


@plant("F1", "names lead out of their namespace", "names", oracles=("request", "secret"), lax=True)
def _paths() -> None:
    import pydantic

    field = pydantic.Field
    _put(pydantic, "Field", lambda *rest, pattern=None, **more: field(*rest, **more))
    from tradewind.kube import client, resources

    _put(resources, "segment", lambda text, what: text)
    _put(client, "_is", lambda *_: True)


@plant("F2", "an object nested deeply ends the process", "depth", oracles=("restart",))
def _deep() -> None:
    import json

    from tradewind.kube import nested

    def read(raw: bytes) -> bytes:
        try:
            json.loads(raw)
        except RecursionError:
            os._exit(1)  # as kopf's watcher did to the process
        return raw

    _put(nested, "pruned", read)


@plant(
    "F3",
    "expressions are evaluated on the event loop, as long as they take",
    "expressions",
    "regexes",
    oracles=("lag", "bystander", "restart"),
)
def _on_the_loop() -> None:
    from tradewind.control.evaluation import host
    from tradewind.plan.cel import evaluation
    from tradewind.plan.cel.compiler import recompiled

    _put(host._Section, "pause", _nothing)
    _put(host._Section, "spent", False)
    _put(host._Section, "evaluate", lambda self, asked: evaluation.in_place(recompiled(asked), asked.values))


@plant("F4", "nothing bounds what an expression takes", "expressions", oracles=("memory", "restart", "lag"))
def _unbounded() -> None:
    from tradewind.plan.cel import evaluation

    PLANTS["F3"].put()
    _put(evaluation, "_in_place", lambda program, given, *_: evaluation._evaluated(program, program.engine, given))


@plant(
    "F5",
    "requests share connections, and their authors frame them",
    "headers",
    oracles=("smuggled", "framed"),
    only="POST",
    lax=True,
)
def _framing() -> None:
    import aiohttp
    from tradewind.tasks import headers

    _put(headers, "unfit", lambda name: "")
    _put(headers, "first_unfit", lambda names: "")
    connector = aiohttp.TCPConnector
    _put(aiohttp, "TCPConnector", lambda *rest, force_close=False, **more: connector(*rest, **more))


@plant("F6", "listings are searched with regular expressions", "listings", oracles=("lag", "bystander", "restart"))
def _listings() -> None:
    import re

    from tradewind.tasks import listing

    def listed(page: bytes) -> Any:
        text = page.decode(errors="replace")
        return [
            re.findall("<Key>(.*?)</Key>", each) for each in re.findall("<Contents>(.*?)</Contents>", text, re.DOTALL)
        ][:0], ""

    _put(listing, "listed", listed)


@plant("F7", "an edit, or reuse, passes an approval", "forged", oracles=("approval",), only="approved by")
def _approvals() -> None:
    from tradewind.plan.runs import approved

    _put(approved.Approvals, "asking", property(lambda self: ()))
    _put(approved, "decided", lambda *_: True)
    _put(approved, "given", lambda *_: True)


@plant("F8", "requests and polls of all namespaces stand in one line", "crowds", oracles=("bystander",))
def _one_line() -> None:
    from tradewind.plan.capacity.seats import Seats

    made, wait, leave = Seats.__init__, Seats.wait, Seats.leave
    _put(Seats, "__init__", lambda self, total, *_, **__: made(self, total, total))
    _put(Seats, "wait", lambda self, namespace, host, item: wait(self, "", host, item))
    _put(Seats, "leave", lambda self, namespace, host: leave(self, "", host))


@plant(
    "F9",
    "results that can't be written stay with the run, and come before its timeout",
    "outputs",
    oracles=("timeout", "terminate"),
)
def _results() -> None:
    import json

    from tradewind.control.dagrun import attempts, state
    from tradewind.control.execution import forced_end
    from tradewind.control.pods import observation
    from tradewind.model import bounded

    def read(raw: Any, *, limit: int, name: str = "") -> Any:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise bounded.OutOfBounds(name, str(error)) from None

    _put(observation, "read_json", read)
    _put(attempts, "checked", lambda value, **_: value)
    _put(state.RunState, "_look_safely", state.RunState._look)
    _no_net(forced_end)


@plant("F10", "runs that triggers make know no end", "runaways", oracles=("runaway", "memory"), only="asset")
def _runaways() -> None:
    from tradewind.control.triggers import rate_limit as pace
    from tradewind.control.triggers.reconciler import TriggerReconciler
    from tradewind.control.triggers.sources import run_based

    _put(run_based, "MOST_DEEP", 10**9)
    _put(pace.Pace, "wait", lambda self, trigger: 0.0)
    _put(TriggerReconciler, "_circle", lambda self, known: "")


@plant("F11", "a status is written whatever its size", "sums", oracles=("timeout", "terminate"))
def _statuses() -> None:
    from tradewind.control.dagrun import attempts, writes
    from tradewind.control.execution import forced_end
    from tradewind.plan.runs import outputs

    _put(attempts, "OUTPUTS_LIMIT", 10**9)
    _put(outputs, "OUTPUTS_LIMIT", 10**9)
    _put(writes, "_check_size", _nothing)
    _put(writes, "REQUEST_TOO_LARGE", 0)
    _no_net(forced_end)


def _no_net(ending: Any) -> None:
    """No run is ended without its planner."""

    async def ended(*_: Any) -> bool:
        return False

    _put(ending.Ender, "end_if_due", ended)
    _put(ending.Ender, "end", ended)
