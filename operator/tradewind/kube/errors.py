"""Errors in responses of an API server."""

from typing import Any

TOO_LARGE = ("request is too large", "larger than max")
"""How etcd and its client report an object that is too large. The API server passes it on as a 500, although a retry can't help."""


class ApiError(Exception):
    """A refusal. `reason` and `message` are the server's own words; `status` is the HTTP code."""

    def __init__(self, status: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        self.status, self.reason, self.message, self.details = status, reason, message, details or {}
        super().__init__(": ".join(part for part in (f"{status} {reason}".strip(), message) if part))


class Unauthorized(ApiError):
    """401: the credentials are not accepted."""


class Forbidden(ApiError):
    """403: missing rights, an exhausted quota, or a refusal by admission."""

    @property
    def terminating(self) -> bool:
        """Whether the namespace is being deleted, so that nothing can be created in it."""
        return "being terminated" in self.message


class NotFound(ApiError):
    """404."""

    @property
    def unknown_kind(self) -> bool:
        """Whether the server does not know the kind, so that no object of it can exist."""
        return any(words in self.message for words in ("could not find the requested resource", "404 page not found"))


class BadName(NotFound):
    """A name that can't be part of a URL. Nothing was sent, and no object of this name can exist."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(404, "BadName", f"{text[:80]!r} is not a {what}: no object can have this name")


class Conflict(ApiError):
    """409: the object has changed since it was read."""


class AlreadyExists(ApiError):
    """409: the name is taken."""


class Gone(ApiError):
    """410: the resource version is too old to continue from."""


class Invalid(ApiError):
    """400, 413 or 422: the object can't be accepted as it is."""


class Unavailable(ApiError):
    """429, 5xx or no response. The effect of a write is unknown. `retry_after` is in seconds."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(status, reason, message)
        self.retry_after = retry_after


class Garbled(Unavailable):
    """A response that can't be read, or has no end."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Garbled", message)


class TooLong(Garbled):
    """A response of more bytes than are read."""


def from_status(code: int, body: dict[str, Any], retry_after: str | None = None) -> ApiError:
    """The error described by a Status object."""
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or "")
    details = body.get("details") if isinstance(body.get("details"), dict) else None
    if code >= 500 and any(words in message for words in TOO_LARGE):
        return Invalid(413, reason or "RequestEntityTooLarge", message, details)
    if code == 429 or code >= 500:
        return Unavailable(code, reason, message, _seconds(retry_after))
    kinds: dict[int, type[ApiError]] = {
        400: Invalid,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: AlreadyExists if reason == "AlreadyExists" else Conflict,
        410: Gone,
        413: Invalid,
        422: Invalid,
    }
    return kinds.get(code, ApiError)(code, reason, message, details)


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
