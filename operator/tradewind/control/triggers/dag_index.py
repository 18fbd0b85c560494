"""The facts about DAGs that triggers need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, Key, deleting
from tradewind.model.history import History
from tradewind.model.value import Param
from tradewind.plan.triggers.cycles import assets_of, called_by


@dataclass(frozen=True, slots=True)
class DAGFacts:
    """Facts about a DAG. `params` is None if they come from templates that were not rendered yet."""

    params: Mapping[str, Param] | None = None
    suspended: bool = False
    produces: frozenset[str] = frozenset()
    """Assets that its runs or their tasks update."""
    calls: frozenset[str] = frozenset()
    """DAGs that its tasks call."""
    keeps: History = History()


NOTHING = DAGFacts()


class DAGIndex:
    """Existing DAGs. `changed(namespace, name)` is called when facts about one have changed."""

    def __init__(self, client: Client, changed: Callable[[str, str], None]) -> None:
        self._client, self._changed = client, changed
        self._known: dict[Key, DAGFacts] = {}
        self._allowed: dict[Key, tuple[str, ...]] = {}
        """For DAGs that allow triggers of other namespaces to follow them: these namespaces."""
        self._invalid: dict[Key, str] = {}
        """The problem of each DAG whose status says that it is invalid."""

    def seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted. One that is being deleted counts as deleted: none of its runs would begin."""
        deleted = deleted or deleting(body)
        key, spec = (body["metadata"]["namespace"], body["metadata"]["name"]), body.get("spec") or {}
        before = self._allowed.pop(key, None)
        if not deleted and (allowed := allowed_from(spec)):
            self._allowed[key] = allowed
        wrong = self._invalid.pop(key, "")
        if not deleted and (words := invalid(body)):
            self._invalid[key] = words
        if before != self._allowed.get(key) or wrong != self._invalid.get(key, ""):
            self._changed(*key)
        if deleted:
            self._known.pop(key, None)
            self._changed(*key)
        elif not spec.get("template"):  # For a DAG with a template, `spec_seen` follows when it is rendered.
            self.spec_seen(*key, spec)
        elif key not in self._known:
            self._take(key, DAGFacts())

    def foreign_seen(self, body: Object, deleted: bool) -> None:
        """The same for a DAG of another shard, which only matters if it was asked for."""
        if (body["metadata"]["namespace"], body["metadata"]["name"]) in self._known:
            self.seen(body, deleted)

    def spec_seen(self, namespace: str, name: str, spec: Any) -> None:
        """A DAG's spec, including its templates, has changed."""
        self._take((namespace, name), _facts(spec))

    async def of(self, namespace: str, name: str) -> DAGFacts | None:
        """The facts about a DAG; None if it does not exist. Raises ApiError."""
        key = (namespace, name)
        if key not in self._known:
            try:  # The watch of DAGs may have only just begun.
                body = await self._client.get(DAGS, namespace, name)
            except NotFound:
                return None
            if deleting(body):
                return None
            spec = body.get("spec") or {}
            if words := invalid(body):
                self._invalid.setdefault(key, words)
            self._known.setdefault(key, DAGFacts() if spec.get("template") else _facts(spec))
            if allowed := allowed_from(spec):
                self._allowed.setdefault(key, allowed)
        return self._known[key]

    async def allowed(self, namespace: str, name: str) -> tuple[str, ...]:
        """Namespaces whose triggers may follow a DAG, besides its own. Raises ApiError."""
        if await self.of(namespace, name) is None:
            return ()
        return self._allowed.get((namespace, name), ())

    def invalid(self, namespace: str, name: str) -> str:
        """Why runs of a DAG can't begin, in words; empty if the DAG is not known to be invalid."""
        words = self._invalid.get((namespace, name), "")
        return f"DAG {name} is not valid: {words}" if words else ""

    def known(self, key: Key) -> DAGFacts:
        """The currently known facts about a DAG."""
        return self._known.get(key, NOTHING)

    def _take(self, key: Key, facts: DAGFacts) -> None:
        if self._known.get(key) != facts:
            self._known[key] = facts
            self._changed(*key)


def _facts(spec: Any) -> DAGFacts:
    try:
        keeps = History.model_validate(spec.get("history") or {})
        params = {name: Param.model_validate(body) for name, body in (spec.get("params") or {}).items()}
    except (ValidationError, AttributeError):
        return DAGFacts()  # The DAG's own condition reports the problem.
    return DAGFacts(params, spec.get("suspend") is True, assets_of(spec), called_by(spec), keeps)


def invalid(body: Object) -> str:
    """The problem of a DAG whose status says that its current spec is invalid; empty otherwise."""
    status = body.get("status") or {}
    if status.get("phase") != "Invalid" or status.get("observedGeneration") != body["metadata"].get("generation"):
        return ""
    messages = (item.get("message") for item in status.get("conditions") or () if item.get("type") == "Valid")
    return next(filter(None, messages), "see its status")


def allowed_from(spec: Any) -> tuple[str, ...]:
    """Namespaces whose triggers may follow a DAG, by its spec. Templates have no influence."""
    namespaces = spec.get("allowTriggersFrom")
    return tuple(map(str, namespaces)) if isinstance(namespaces, list) else ()
