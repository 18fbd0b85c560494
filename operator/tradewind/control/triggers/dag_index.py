"""What triggers need to know of DAGs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, Key
from tradewind.model.value import Param
from tradewind.plan.triggers.cycles import assets_of, called_by


@dataclass(frozen=True, slots=True)
class DAGFacts:
    """`params` is None where they come from templates that have not been looked at."""

    params: Mapping[str, Param] | None = None
    suspended: bool = False
    produces: frozenset[str] = frozenset()
    """Assets of which its runs, and their tasks, make new versions."""
    calls: frozenset[str] = frozenset()
    """DAGs that are its tasks."""


NOTHING = DAGFacts()


class DAGIndex:
    """The DAGs that there are. `changed(namespace, name)` is called when something new is known of one."""

    def __init__(self, client: Client, changed: Callable[[str, str], None]) -> None:
        self._client, self._changed = client, changed
        self._known: dict[Key, DAGFacts] = {}
        self._allowed: dict[Key, tuple[str, ...]] = {}
        """Of the DAGs that say whose triggers may follow them: where those are."""
        self._invalid: dict[Key, str] = {}
        """What is wrong with DAGs whose status says so."""

    def seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
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
        elif not spec.get("template"):  # What others say in the end is known when their templates have been looked at.
            self.spec_seen(*key, spec)
        elif key not in self._known:
            self._take(key, DAGFacts())

    def foreign_seen(self, body: Object, deleted: bool) -> None:
        """The same for one of another shard, which only matters if someone has asked for it."""
        if (body["metadata"]["namespace"], body["metadata"]["name"]) in self._known:
            self.seen(body, deleted)

    def spec_seen(self, namespace: str, name: str, spec: Any) -> None:
        """What a DAG says, its templates included."""
        self._take((namespace, name), _facts(spec))

    async def of(self, namespace: str, name: str) -> DAGFacts | None:
        """What is known of a DAG; None where there is none. Raises ApiError."""
        key = (namespace, name)
        if key not in self._known:
            try:  # The watch of DAGs may only have begun.
                body = await self._client.get(DAGS, namespace, name)
            except NotFound:
                return None
            spec = body.get("spec") or {}
            if words := invalid(body):
                self._invalid.setdefault(key, words)
            self._known.setdefault(key, DAGFacts() if spec.get("template") else _facts(spec))
            if allowed := allowed_from(spec):
                self._allowed.setdefault(key, allowed)
        return self._known[key]

    async def allowed(self, namespace: str, name: str) -> tuple[str, ...]:
        """From which namespaces a DAG may be followed, beside its own. Raises ApiError."""
        if await self.of(namespace, name) is None:
            return ()
        return self._allowed.get((namespace, name), ())

    def invalid(self, namespace: str, name: str) -> str:
        """What is wrong with a DAG, in words for those that make runs of it; empty where nothing is, as far as it is known."""
        words = self._invalid.get((namespace, name), "")
        return f"DAG {name} is not valid: {words}" if words else ""

    def known(self, key: Key) -> DAGFacts:
        """What is known of a DAG now."""
        return self._known.get(key, NOTHING)

    def _take(self, key: Key, facts: DAGFacts) -> None:
        if self._known.get(key) != facts:
            self._known[key] = facts
            self._changed(*key)


def _facts(spec: Any) -> DAGFacts:
    try:
        params = {name: Param.model_validate(body) for name, body in (spec.get("params") or {}).items()}
    except (ValidationError, AttributeError):
        return DAGFacts()  # The DAG's own condition says what is wrong with it.
    return DAGFacts(params, spec.get("suspend") is True, assets_of(spec), called_by(spec))


def invalid(body: Object) -> str:
    """What is wrong with a DAG, where its status says so of the spec that it has."""
    status = body.get("status") or {}
    if status.get("phase") != "Invalid" or status.get("observedGeneration") != body["metadata"].get("generation"):
        return ""
    said = (item.get("message") for item in status.get("conditions") or () if item.get("type") == "Valid")
    return next(filter(None, said), "see its status")


def allowed_from(spec: Any) -> tuple[str, ...]:
    """From which namespaces a DAG may be followed, by its spec. A template does not decide that."""
    said = spec.get("allowTriggersFrom")
    return tuple(map(str, said)) if isinstance(said, list) else ()
