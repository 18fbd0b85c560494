"""Revisions: a DAG's spec as it was when a run began, kept in a ControllerRevision that never changes."""

import contextlib
import hashlib
from collections import OrderedDict
from typing import Any

import orjson

from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.pod import DAG
from tradewind.kube.resources import REVISIONS
from tradewind.plan.define import define
from tradewind.plan.definition import Definition

CACHED = 256
"""Definitions in memory. Runs of the same revision share one."""


def revision_name(dag: str, spec: Any) -> str:
    """`<dag>-<hash of the spec>`: the same spec is the same revision."""
    digest = hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]
    return f"{dag}-{digest}"


class Revisions:
    """Stores and finds revisions. They have no owner: a run goes on when its DAG is deleted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cache: OrderedDict[tuple[str, str], Definition] = OrderedDict()

    async def bind(self, namespace: str, dag: str, spec: Any, definition: Definition, generation: int) -> str:
        """Name of the revision that holds `spec`; made if it does not exist."""
        name = revision_name(dag, spec)
        if (namespace, name) not in self._cache:
            body = {
                "apiVersion": REVISIONS.api_version,
                "kind": "ControllerRevision",
                "metadata": {"name": name, "labels": {DAG: dag, "app.kubernetes.io/managed-by": "tradewind"}},
                "revision": generation,
                "data": {"spec": spec},
            }
            with contextlib.suppress(AlreadyExists):
                await self._client.create(REVISIONS, namespace, body)
            self._keep(namespace, name, definition)
        return name

    async def load(self, namespace: str, name: str) -> Definition:
        """The definition that a run is bound to. Raises NotFound when someone deleted the revision."""
        if definition := self._cache.get((namespace, name)):
            self._cache.move_to_end((namespace, name))
            return definition
        found = await self._client.get(REVISIONS, namespace, name)
        definition = define(found["data"]["spec"])
        self._keep(namespace, name, definition)
        return definition

    def _keep(self, namespace: str, name: str, definition: Definition) -> None:
        self._cache[namespace, name] = definition
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
