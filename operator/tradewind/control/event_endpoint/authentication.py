"""Authenticates senders of events: by a token of the cluster, a signature, or a token in a Secret."""

import asyncio
import base64
import binascii
import hashlib
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tradewind import GROUP
from tradewind.control.shared.access_review import may
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, NotFound, Unavailable
from tradewind.kube.resources import SECRETS, TOKEN_REVIEWS
from tradewind.model.duration import seconds
from tradewind.model.event import Authentication, KubernetesSenders, SecretKey, SignedEvents
from tradewind.plan.capacity.token_bucket import Bucket
from tradewind.plan.triggers.event import ENOUGH, TIMESTAMP, covered, is_signed, same

log = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0
"""Seconds for which a response of the API server about a token, a right or a Secret is cached."""
CACHED_ANSWERS = 4_096
"""Cached responses."""
ASKED = (50.0, 200.0)
"""New tokens about which the API server is asked, for triggers of one namespace: per second, and at once after a pause. Guesses must not
keep it busy. Those for missing triggers count together."""
UNKNOWN = Authentication(kubernetes=KubernetesSenders())
"""The authentication for missing triggers: senders who may post to them learn that they are missing, others learn nothing."""


class SenderRejected(Exception):
    """A request that makes no run. `reason` is one word, for metrics; `after` is the number of seconds after which to try again."""

    def __init__(self, status: int, reason: str, words: str, after: float | None = None) -> None:
        self.status, self.reason, self.words, self.after = status, reason, words, after
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of an event. `name` is the name in the cluster; empty if only a secret identifies the sender."""

    name: str = ""
    signed: str = ""
    """A digest of everything that a signature covers."""


class Senders:
    """Authenticates senders by asking the API server. If `kubernetes` is false, tokens of the cluster are not accepted."""

    def __init__(self, client: Client, kubernetes: bool, clock: Callable[[], float] = time.time) -> None:
        self._client, self._kubernetes, self._clock = client, kubernetes, clock
        self._answers: OrderedDict[tuple[str, ...], tuple[float, asyncio.Future[Any]]] = OrderedDict()
        self._buckets = defaultdict[str, Bucket](lambda: Bucket(*ASKED))
        """By namespace; the empty one is for missing triggers."""

    async def admit(
        self, namespace: str, trigger: str, how: Authentication, headers: Mapping[str, str], data: bytes
    ) -> Sender:
        """The authenticated sender. `headers` have lower-case names. Raises SenderRejected."""
        try:
            if how.hmac:
                return await self._check_signature(namespace, how.hmac, headers, data)
            if how.token:
                if same(_bearer(headers), await self._secret(namespace, how.token.secret_ref)):
                    return Sender()
                raise self._unknown()
            return await self._of_cluster(namespace, trigger, how.kubernetes or KubernetesSenders(), headers)
        except ApiError as error:
            log.warning("asking who sends an event to %s/%s: %s", namespace, trigger, error)
            after = (error.retry_after if isinstance(error, Unavailable) else None) or 1.0
            words = "the sender can't be authenticated now, and the event was not accepted: send it again later"
            raise SenderRejected(503, "unavailable", words, after) from None

    def _unknown(self) -> SenderRejected:
        ways = ["the headers with a timestamp and a signature", "`Authorization: Bearer TOKEN`"]
        if self._kubernetes:
            ways[1] += (
                ", of the trigger's Secret or of the cluster (`kubectl create token NAME --audience tradewind-events`)"
            )
        words = "there is no such trigger, or it does not take these credentials; as its spec.event.authentication says, send "
        return SenderRejected(401, "unauthenticated", words + " or ".join(ways))

    async def _check_signature(
        self, namespace: str, how: SignedEvents, headers: Mapping[str, str], data: bytes
    ) -> Sender:
        if not is_signed(how, await self._secret(namespace, how.secret_ref), headers, data):
            raise self._unknown()
        if how.covers == "TimestampAndBody":
            # The sender knows the secret, so the error can be explicit.
            timestamp, window = headers.get(TIMESTAMP, ""), seconds(how.window)
            if not timestamp.isdecimal() or len(timestamp) > 12:
                words = "the header Tradewind-Timestamp has to give the seconds since 1970, as in $(date +%s)"
                raise SenderRejected(401, "unauthenticated", words)
            if abs(away := self._clock() - int(timestamp)) > window:
                side = "old" if away > 0 else "in the future"
                words = f"the signature is right, but its time is {abs(away):.0f} s {side}; at most {how.window} are allowed"
                raise SenderRejected(
                    401, "replayed", f"{words}: sign it again with the present time (is the clock right?)"
                )
        return Sender(signed=hashlib.sha256(covered(how, headers, data)).hexdigest())

    async def _of_cluster(
        self, namespace: str, trigger: str, how: KubernetesSenders, headers: Mapping[str, str]
    ) -> Sender:
        token = _bearer(headers)
        if not token or not self._kubernetes:
            raise self._unknown()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        guesses = self._buckets["" if how is UNKNOWN.kubernetes else namespace]
        user = await self._cached(("token", digest, how.audience), lambda: self._user(token, how.audience), guesses)
        if user is None:
            raise self._unknown()
        name = str(user.get("username") or "")
        asked = ("right", str(user), namespace, trigger)
        if not await self._cached(asked, lambda: self._may(user, namespace, trigger)):
            words = f"{name!r} must not post events to {namespace}/{trigger}: grant it `create` on the resource `triggers/events`"
            raise SenderRejected(403, "forbidden", f"{words} of the group {GROUP} in that namespace")
        return Sender(name)

    async def _user(self, token: str, audience: str) -> dict[str, Any] | None:
        spec = {"token": token, **({"audiences": [audience]} if audience else {})}
        body = {"apiVersion": TOKEN_REVIEWS.api_version, "kind": TOKEN_REVIEWS.kind, "spec": spec}
        status = orjson.loads(await self._client.create(TOKEN_REVIEWS, "", body)).get("status") or {}
        if status.get("authenticated") is not True:
            return None
        if audience and audience not in (status.get("audiences") or []):
            return None  # A server without support for audiences would accept a token made for another purpose.
        user: dict[str, Any] = status.get("user") or {}
        return user

    async def _may(self, user: Mapping[str, Any], namespace: str, trigger: str) -> bool:
        attributes = {
            "namespace": namespace,
            "verb": "create",
            "group": GROUP,
            "resource": "triggers",
            "subresource": "events",
            "name": trigger,
        }
        return await may(self._client, user, **attributes)

    async def _secret(self, namespace: str, ref: SecretKey) -> bytes:
        async def read() -> bytes:
            try:
                found = (await self._client.get(SECRETS, namespace, ref.name)).get("data") or {}
                value = base64.b64decode(found.get(ref.key) or "").rstrip()
            except (NotFound, binascii.Error):
                value = b""
            if len(value) < ENOUGH:
                log.warning("Secret %s/%s has no key %s with %d bytes or more", namespace, ref.name, ref.key, ENOUGH)
            return value

        secret: bytes = await self._cached(("secret", namespace, ref.name, ref.key), read)
        if len(secret) < ENOUGH:
            raise self._unknown()
        return secret

    async def _cached(
        self, question: tuple[str, ...], ask: Callable[[], Coroutine[Any, Any, Any]], guesses: Bucket | None = None
    ) -> Any:
        """The cached answer to a question. Callers with the same question share one request, which is repeated when the answer has expired.
        `guesses` limits requests without an earlier good answer."""
        now = time.monotonic()
        known = self._answers.get(question)
        if known is None or now >= known[0] + ANSWER_SECONDS:
            if guesses and not (known and _good(known[1])) and (wait := guesses.take(now)):
                words = "too many tokens that are not known yet: send it again later"
                raise SenderRejected(429, "limited", words, wait)
            known = self._answers[question] = (now, asyncio.ensure_future(ask()))
            known[1].add_done_callback(lambda answer: self._drop_failed(question, answer))
            self._answers.move_to_end(question)
            while len(self._answers) > CACHED_ANSWERS:
                self._answers.popitem(last=False)
        return await asyncio.shield(known[1])

    def _drop_failed(self, question: tuple[str, ...], answer: "asyncio.Future[Any]") -> None:
        """Drops a failed request from the cache."""
        if (answer.cancelled() or answer.exception()) and self._answers.get(question, (0, None))[1] is answer:
            del self._answers[question]


def _good(answer: "asyncio.Future[Any]") -> bool:
    """Whether the answer exists and is not None."""
    return answer.done() and not answer.cancelled() and not answer.exception() and answer.result() is not None


def shows_credentials(how: Authentication, headers: Mapping[str, str]) -> bool:
    """Whether the headers have credentials of the required kind, valid or not."""
    return how.hmac.header.lower() in headers if how.hmac else bool(_bearer(headers))


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
