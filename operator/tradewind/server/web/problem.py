"""Errors, as answers."""

from collections.abc import Mapping

from aiohttp import web

from tradewind.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)
from tradewind.look.explained import explained
from tradewind.look.reading import StatusUnreadable
from tradewind.plan.documents.problem import Invalid as InvalidDocument
from tradewind.server.answers.base import ProblemAnswer

TITLES = {
    400: "The request is not understood",
    401: "No session",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Not possible now",
    413: "Too large",
    415: "Not JSON",
    421: "Another host",
    422: "Can't be accepted",
    429: "Too many",
    503: "The cluster does not answer",
}
AWAY = "the page tries again by itself; is the cluster up, and the network?"


class Refused(Exception):
    """An error to answer with."""

    def __init__(self, status: int, detail: str, field: str | None = None, retry: int = 0) -> None:
        self.status, self.detail, self.field, self.retry = status, detail, field, retry
        super().__init__(detail)


def refused(error: Exception) -> Refused | None:
    """The answer for an expected error; None for a bug."""
    match error:
        case Refused():
            return error
        case Unauthorized():
            return Refused(503, f"{explained(error)}: renew them (as for kubectl), then start `tradewind ui` again")
        case Forbidden():
            return Refused(403, explained(error))
        case NotFound():
            return Refused(404, explained(error))
        case Conflict() | AlreadyExists() | Gone():
            return Refused(409, error.message or str(error))
        case Invalid():
            return Refused(422, error.message or str(error), _field(error.details))
        case Unavailable():
            return Refused(503, f"{explained(error)}; {AWAY}", retry=int(error.retry_after or 2))
        case ApiError():
            return Refused(502 if error.status >= 500 else 422, explained(error))
        case StatusUnreadable() | InvalidDocument():
            return Refused(422, str(error))
        case web.HTTPRequestEntityTooLarge():
            return Refused(413, "the body is too large")
        case web.HTTPException():
            return Refused(error.status, error.reason)
        case _:
            return None


def _field(details: Mapping[str, object]) -> str | None:
    causes = details.get("causes")
    first = causes[0] if isinstance(causes, list) and causes else {}
    return str(first["field"]) if isinstance(first, dict) and first.get("field") else None


def answer(error: Refused) -> web.Response:
    """The response."""
    title = TITLES.get(error.status, "Error")
    body = ProblemAnswer(title=title, status=error.status, detail=error.detail[:4_096], field=error.field)
    headers = {"Retry-After": str(error.retry)} if error.retry else {}
    text = body.model_dump_json(by_alias=True).encode()
    return web.Response(body=text, status=error.status, content_type="application/problem+json", headers=headers)
