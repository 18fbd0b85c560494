"""Who may read which records: what the API server says about the caller's own token."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from tradewind.control.shared.access_review import i_may
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Unauthorized
from tradewind.kube.resources import PODS, RUNS, SELF
from tradewind.plan.capacity.token_bucket import Bucket

LASTS = 60.0
"""Seconds for which an answer of the API server counts."""
REMEMBERED = 4_096
"""Answers in memory."""
RATE = 50.0
"""Questions to the API server a second, twice as many at once: who sends tokens that are none must not keep it busy."""
AT_ONCE = 16
EVERYWHERE = ""
"""The namespace of a question about all namespaces."""
_RUNS = {"group": RUNS.api_version.partition("/")[0], "resource": RUNS.plural}
RIGHTS = {
    "list": {"verb": "list", **_RUNS},
    "delete": {"verb": "delete", **_RUNS},
    "logs": {"verb": "get", "group": "", "resource": PODS.plural, "subresource": "log"},
}
WORDS = {"list": "list dagruns.tradewind.dev", "delete": "delete dagruns.tradewind.dev", "logs": "get pods/log"}


class Busy(Exception):
    """More new tokens, or new namespaces, than are asked about at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    allowed: bool
    user: str
    """Who the token belongs to; empty where that was not asked."""


class Gate:
    """Asks the API server with the caller's token, and remembers the answers by a digest of the token."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        """`connection` is the recorder's own: of it, only the address and the authority are used."""
        self._connection = replace(connection, authorization=lambda: None, certificate_path=None, private_key_path=None)
        self._clock = clock
        self._known: OrderedDict[tuple[bytes, str, str], tuple[float, Answer]] = OrderedDict()
        self._bucket = Bucket(RATE, 2 * RATE)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def may(self, token: str, verb: str, namespace: str) -> bool:
        """Whether the token's owner has a right of RIGHTS in a namespace, or EVERYWHERE. Raises Unauthorized, Busy, and other
        errors of the API."""
        return (await self._answer(token, verb, namespace)).allowed

    async def user(self, token: str) -> str:
        """The token's owner. Raises as `may` does."""
        return (await self._answer(token, "", EVERYWHERE)).user

    async def _answer(self, token: str, verb: str, namespace: str) -> Answer:
        key = (hashlib.sha256(token.encode()).digest(), verb, namespace)
        known = self._known.get(key)
        if known and self._clock() < known[0] + LASTS:
            return known[1]
        if self._bucket.take(self._clock()):
            raise Busy("too many new tokens or namespaces at once: ask again in a moment")
        async with self._places:
            answer = await self._ask(token, verb, namespace)
        self._known[key] = self._clock(), answer
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return answer

    async def _ask(self, token: str, verb: str, namespace: str) -> Answer:
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise Unauthorized(401, "Unauthorized", "the token is not one")
        async with Client(replace(self._connection, authorization=lambda: f"Bearer {token}"), 10.0) as client:
            if verb:
                where = {"namespace": namespace} if namespace else {}
                return Answer(await i_may(client, **RIGHTS[verb], **where), "")
            body = {"apiVersion": SELF.api_version, "kind": SELF.kind}
            info = (orjson.loads(await client.create(SELF, "", body)).get("status") or {}).get("userInfo") or {}
            return Answer(True, str(info.get("username") or ""))
