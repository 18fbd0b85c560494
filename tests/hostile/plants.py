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


def _nothing(*_: Any, **__: Any) -> None:
    """Checks nothing."""


@plant("F1", "names lead out of their namespace", "names", oracles=("request", "secret"), lax=True)
def _paths() -> None:
    import pydantic

    field = pydantic.Field
    pydantic.Field = lambda *rest, pattern=None, **more: field(*rest, **more)  # type: ignore[assignment]
    from tradewind.kube import client, resources

    resources.segment = lambda text, what: text
    client._is = lambda *_: True


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

    nested.pruned = read


@plant(
    "F3",
    "expressions are evaluated on the event loop, as long as they take",
    "expressions",
    "regexes",
    oracles=("lag", "bystander", "restart"),
)
def _on_the_loop() -> None:
    from tradewind.plan import pacing as pace

    pace.current = lambda: None


@plant("F4", "nothing bounds what an expression takes", "expressions", oracles=("memory", "restart"))
def _unbounded() -> None:
    from tradewind.plan import pacing as pace
    from tradewind.plan.cel import evaluation

    pace.current = lambda: None
    evaluation._check = _nothing


@plant(
    "F5",
    "requests share connections, and their authors frame them",
    "headers",
    oracles=("smuggled",),
    only="POST",
    lax=True,
)
def _framing() -> None:
    import aiohttp
    from tradewind.tasks import headers

    headers.unfit = lambda name: ""
    headers.first_unfit = lambda names: ""
    connector = aiohttp.TCPConnector
    aiohttp.TCPConnector = lambda *rest, force_close=False, **more: connector(*rest, **more)  # type: ignore[assignment,misc]


@plant("F6", "listings are searched with regular expressions", "listings", oracles=("lag", "bystander", "restart"))
def _listings() -> None:
    import re

    from tradewind.tasks import listing

    def listed(page: bytes) -> Any:
        text = page.decode(errors="replace")
        return [
            re.findall("<Key>(.*?)</Key>", each) for each in re.findall("<Contents>(.*?)</Contents>", text, re.DOTALL)
        ][:0], ""

    listing.listed = listed


@plant("F7", "an edit, or reuse, passes an approval", "forged", oracles=("approval",), only="approved by")
def _approvals() -> None:
    from tradewind.plan.runs import approved

    approved.Approvals.asking = property(lambda self: ())  # type: ignore[assignment]
    approved.decided = lambda *_: True
    approved.given = lambda *_: True


@plant("F8", "requests and polls of all namespaces stand in one line", "crowds", oracles=("bystander",))
def _one_line() -> None:
    from tradewind.plan.capacity.seats import Seats

    made, wait, leave = Seats.__init__, Seats.wait, Seats.leave
    Seats.__init__ = lambda self, total, *_: made(self, total, total)  # type: ignore[method-assign,assignment]
    Seats.wait = lambda self, namespace, host, item: wait(self, "", host, item)  # type: ignore[method-assign,assignment]
    Seats.leave = lambda self, namespace, host: leave(self, "", host)  # type: ignore[method-assign,assignment]


@plant(
    "F9",
    "results that can't be written stay with the run, and come before its timeout",
    "outputs",
    oracles=("timeout", "terminate"),
)
def _results() -> None:
    import json

    from tradewind.control.execution import forced_end as ending
    from tradewind.model import bounded

    def read(raw: Any, *, limit: int, name: str = "") -> Any:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise bounded.OutOfBounds(name, str(error)) from None

    bounded.read_json = read
    from tradewind.control.dagrun import attempts, state

    state.RunState._look_safely = state.RunState._look  # type: ignore[method-assign,assignment]
    attempts.checked = lambda value, **_: value
    _no_net(ending)


@plant("F10", "runs that triggers make know no end", "runaways", oracles=("runaway", "memory"), only="asset")
def _runaways() -> None:
    from tradewind.control.triggers import rate_limit as pace
    from tradewind.control.triggers.reconciler import TriggerReconciler
    from tradewind.control.triggers.sources import run_based

    run_based.MOST_DEEP = 10**9
    pace.Pace.wait = lambda self, trigger: 0.0  # type: ignore[method-assign]
    TriggerReconciler._circle = lambda self, known: ""  # type: ignore[method-assign]


@plant("F11", "a status is written whatever its size", "sums", oracles=("timeout", "terminate"))
def _statuses() -> None:
    from tradewind.control.dagrun import writes
    from tradewind.control.execution import forced_end as ending

    writes._check_size = _nothing
    _no_net(ending)


def _no_net(ending: Any) -> None:
    """No run is ended without its planner."""

    async def ended(*_: Any) -> bool:
        return False

    ending.Ender.end_if_due = ending.Ender.end = ended
