"""Templates and the DAGs and templates that use them, so that a change of a template reaches its users."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import DAGS, TEMPLATES
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.templates.render import Find, Ref, Rendering, render

T = TypeVar("T")
Key = tuple[str, str, str]
"""Kind, namespace (empty for cluster-scoped kinds) and name: of a template, or of a DAG that uses some."""


@dataclass(frozen=True, slots=True)
class Resolved(Generic[T]):
    """A result made from templates, and the versions of these. A missing template has an empty version."""

    result: T
    versions: Mapping[Ref, str]


class Templates:
    """Reads templates when they are needed, so that a run begins with current ones. Keeps only the users of each template and the last
    version seen."""

    def __init__(self, client: Client, whole: bool = True) -> None:
        self._fresh, self._whole = CoalescingReader(client), whole
        self._users: defaultdict[Key, set[Key]] = defaultdict(set)
        self._used: defaultdict[Key, set[Key]] = defaultdict(set)
        self._versions: dict[Key, str] = {}

    async def resolve(self, user: Key, make: Callable[[Find], T], exact: bool = False) -> Resolved[T]:
        """Calls `make` with all templates that it asks for and returns its result. From then on, changes of these templates concern `user`,
        as do changes of those it used before, unless `exact`. Raises what `make` raises once all are read."""
        known: dict[Ref, Object | None] = {}
        while True:
            asked: set[Ref] = set()
            failed: Invalid | None = None
            try:
                result = make(self._find(known, asked))
            except Invalid as error:
                failed = error
            if not asked:
                if exact:
                    self._keep(user, {_key(ref, user[1]) for ref in known})
                if failed:
                    raise failed
                return Resolved(result, {ref: _version(body) for ref, body in known.items()})
            for ref in asked:  # Before they are read, so that no change is missed.
                self._users[_key(ref, user[1])].add(user)
                self._used[user].add(_key(ref, user[1]))
            bodies = await asyncio.gather(*(self._get(ref, user[1]) for ref in asked))
            known |= dict(zip(asked, bodies, strict=True))

    async def versions(self, namespace: str, refs: Iterable[Ref]) -> dict[Ref, str]:
        """The current versions of templates."""
        wanted = list(refs)
        bodies = await asyncio.gather(*(self._get(ref, namespace) for ref in wanted))
        return {ref: _version(body) for ref, body in zip(wanted, bodies, strict=True)}

    def seen(self, body: Object, deleted: bool) -> list[Key]:
        """A template was created, changed or deleted. Returns its users; none for a change of its status."""
        meta = body["metadata"]
        key = (body["kind"], meta.get("namespace") or "", meta["name"])
        if deleted:
            self._versions.pop(key, None)
        elif self._versions.get(key) == _version(body):
            return []
        else:
            self._versions[key] = _version(body)
        return sorted(self._users.get(key, ()))

    def forget(self, user: Key) -> None:
        """Drops a user."""
        self._keep(user, set())

    def _keep(self, user: Key, used: set[Key]) -> None:
        for key in self._used[user] - used:
            self._users[key].discard(user)
            if not self._users[key]:
                del self._users[key]
        self._used[user] &= used
        if not self._used[user]:
            del self._used[user]

    def _find(self, known: Mapping[Ref, Object | None], asked: set[Ref]) -> Find:
        def find(ref: Ref) -> Any:
            if ref.cluster and not self._whole:
                words = (
                    f"{ref} can't be used: this operator works in some namespaces and sees nothing of the whole cluster"
                )
                instead = f"use a {ref.kind.removeprefix('Cluster')} of the namespace, or an operator of all namespaces"
                raise Invalid([Problem("", words, instead)])
            if ref not in known:
                asked.add(ref)
                return None
            body = known[ref]
            return None if body is None else body.get("spec") or {}

        return find

    async def _get(self, ref: Ref, namespace: str) -> Object | None:
        try:
            return await self._fresh.get(TEMPLATES[ref.kind], *_key(ref, namespace)[1:])
        except NotFound:
            return None


async def rendered(client: Client, namespace: str, dag: str) -> Rendering:
    """A DAG of the cluster, rendered with the current templates. Raises NotFound if the DAG does not exist."""
    spec = (await client.get(DAGS, namespace, dag))["spec"]
    return (await Templates(client).resolve(("DAG", namespace, dag), lambda find: render(spec, find))).result


def _key(ref: Ref, namespace: str) -> Key:
    return (ref.kind, "" if ref.cluster else namespace, ref.name)


def _version(body: Object | None) -> str:
    return f"{body['metadata']['uid']}/{body['metadata'].get('generation')}" if body else ""
