"""The contents of an event: parsed from JSON or a CloudEvent; its key; the content that its signature covers."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from tradewind.model.bounded import OutOfBounds, read_json
from tradewind.model.duration import seconds
from tradewind.model.event import EventSource, SignedEvents
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.cel.compiler import ExpressionError, Variables
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions.interpolation import Evaluate

VARIABLES: Variables = (
    ("event.body", "any"),
    ("event.headers", "object"),
    ("event.key", "string"),
    ("event.type", "string"),
    ("event.source", "string"),
    ("event.id", "string"),
    ("event.subject", "string"),
    ("event.time", "string"),
    ("event.sender", "string"),
)
"""Variables of a trigger with the source `event`. type, source, id, subject and time are those of a CloudEvent,
otherwise empty."""
ATTRIBUTES = ("id", "source", "type", "subject", "time")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
KEY, TIMESTAMP = "idempotency-key", "tradewind-timestamp"
HIDDEN = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Headers that are hidden from expressions: runs would show them."""
LONGEST = 1_024
"""Characters of a key."""
ENOUGH = 16
"""Minimum bytes of a secret."""


class Unreadable(ValueError):
    """The request contains no event. The message says what is wrong and what to send."""


@dataclass(frozen=True, slots=True)
class Event:
    """A posted event. `headers` have lower-case names."""

    body: Any
    headers: Mapping[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes of a CloudEvent, by ATTRIBUTES."""
    sender: str = ""
    """The cluster's name for the sender; empty if only a secret is known."""
    signed: str = ""
    """For a signed event, a digest of everything that is signed."""
    bare: bool = False
    """Whether only the body is signed: then no header identifies the event."""

    @property
    def usual_key(self) -> str:
        """Its key if the trigger has no expression for it; empty if each event is its own."""
        if (key := self.headers.get(KEY, "")) and not self.bare:
            return key
        if self.attributes:
            return f"{self.attributes['source']} {self.attributes['id']}"
        return self.signed

    def values(self, key: str) -> dict[str, Any]:
        """The values, by the names of VARIABLES."""
        shown = {name: value for name, value in self.headers.items() if name not in HIDDEN}
        own = {f"event.{name}": self.attributes.get(name, "") for name in ATTRIBUTES}
        return {
            "event.body": self.body,
            "event.headers": shown,
            "event.key": key,
            "event.sender": self.sender,
            **own,
        }


def read(headers: Mapping[str, str], data: bytes, sender: str = "", signed: str = "", bare: bool = False) -> Event:
    """The event of a request. Raises Unreadable."""
    headers = {name: value.encode(errors="surrogateescape").decode(errors="replace") for name, value in headers.items()}
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == BATCH:
        raise Unreadable("batches are not supported: send each CloudEvent separately, as application/cloudevents+json")
    if "ce-specversion" in headers:
        if signed:
            raise Unreadable(
                "a signature does not cover the headers of a CloudEvent: send it as application/cloudevents+json"
            )
        said = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
        return Event(_json(data), headers, _attributes(said, "header ce-"), sender)
    body = _json(data)
    if kind != STRUCTURED:
        return Event(body, headers, {}, sender, signed, bare)
    if not isinstance(body, dict):
        raise Unreadable("a CloudEvent is a JSON object")
    return Event(_data(body), headers, _attributes(body, ""), sender, signed, bare)


def _json(data: bytes) -> Any:
    if not data.strip():
        return None
    try:
        return read_json(data, limit=len(data), name="body")
    except OutOfBounds as error:
        instead = ": send JSON, or nothing" if "not JSON" in error.problem else ""
        raise Unreadable(f"the {error}{instead}") from None


def _attributes(said: Mapping[str, Any], where: str) -> dict[str, str]:
    if said.get("specversion") != "1.0":
        raise Unreadable(f"{where}specversion: only CloudEvents 1.0 are understood")
    for name in ("id", "source", "type"):
        if not isinstance(said.get(name), str) or not said[name]:
            raise Unreadable(f"{where}{name}: required, and a text that is not empty")
    found = {name: said[name] for name in ATTRIBUTES if isinstance(said.get(name), str)}
    if "time" in found:
        try:
            datetime.fromisoformat(found["time"])
        except ValueError:
            raise Unreadable(f"{where}time: not a point in time such as 2026-01-31T06:00:00Z") from None
    return found


def _data(body: Mapping[str, Any]) -> Any:
    if "data_base64" not in body:
        return body.get("data")
    try:
        return _json(base64.b64decode(body["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise Unreadable(f"data_base64: no JSON in base64 ({error}): send JSON as `data`") from None


def key_of(source: EventSource, event: Event, evaluate: Evaluate) -> str:
    """The event's key; empty if it has its own. Raises ExpressionError."""
    key: Any = event.usual_key
    if source.key:
        key = evaluate(source.key)
        if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
            raise ExpressionError(source.key, "spec.event.key: gives neither a text nor an integer for this event")
    if len(str(key)) > LONGEST:
        raise ExpressionError(source.key, f"the key has more than {LONGEST} characters: send a shorter one")
    return str(key)


# Secrets.


def same(given: str, secret: bytes) -> bool:
    """Whether a token equals the secret; takes equally long for every wrong one."""
    return hmac.compare_digest(_digest(given.encode("utf-8", "surrogateescape")), _digest(secret))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def signature(how: SignedEvents, secret: bytes, headers: Mapping[str, str], data: bytes) -> str:
    """The expected signature, in hexadecimal digits."""
    return hmac.new(secret, covered(how, headers, data), hashlib.sha256).hexdigest()


def covered(how: SignedEvents, headers: Mapping[str, str], data: bytes) -> bytes:
    """The bytes that a signature covers."""
    if how.covers == "Body":
        return data
    told = (headers.get(name, "").encode("utf-8", "surrogateescape") for name in (TIMESTAMP, KEY))
    return b"\n".join([*told, data])


def is_signed(how: SignedEvents, secret: bytes, headers: Mapping[str, str], data: bytes) -> bool:
    """Whether the signature is right; takes equally long for every wrong one."""
    given = headers.get(how.header.lower(), "").removeprefix("sha256=").lower()
    right = signature(how, secret, headers, data).encode()
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), right)


def check(spec: TriggerSpec) -> list[Problem]:
    """What is wrong with a trigger's `event`, apart from its expressions."""
    if not spec.event:
        return []
    problems = []
    how = spec.event.authentication
    ways = [name for name in ("kubernetes", "hmac", "token") if getattr(how, name) is not None]
    if len(ways) != 1:
        path = "spec.event.authentication"
        found = Problem(path, f"{len(ways)} ways are given", "write one of kubernetes, hmac and token")
        problems.append(found if ways else found.resting(f"{path}.kubernetes", f"{path}.hmac", f"{path}.token"))
    if how.hmac and not 1 <= seconds(how.hmac.window) <= 300:
        problems.append(
            Problem("spec.event.authentication.hmac.window", f"{how.hmac.window} is out of bounds", "write 1s to 5m")
        )
    return problems
