"""Errors, in the API server's words."""

from typing import Any


class StatusError(Exception):
    """A response other than the one requested."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.code, self.reason, self.message, self.details, self.retry_after = (
            code,
            reason,
            message,
            details,
            retry_after,
        )
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        """The Status object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            body["details"] = self.details
        return body


def not_found(plural: str, group: str, name: str) -> StatusError:
    """404 for an object."""
    what = f"{plural}.{group}" if group else plural
    return StatusError(404, "NotFound", f'{what} "{name}" not found', {"name": name, "group": group, "kind": plural})


def already_exists(plural: str, group: str, name: str) -> StatusError:
    """409 for a name that is taken."""
    what = f"{plural}.{group}" if group else plural
    return StatusError(
        409, "AlreadyExists", f'{what} "{name}" already exists', {"name": name, "group": group, "kind": plural}
    )


def conflict(plural: str, group: str, name: str, why: str) -> StatusError:
    """409 for an object that has changed."""
    what = f"{plural}.{group}" if group else plural
    message = f'Operation cannot be fulfilled on {what} "{name}": {why}'
    return StatusError(409, "Conflict", message, {"name": name, "group": group, "kind": plural})


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def forbidden(plural: str, name: str, why: str) -> StatusError:
    """403."""
    return StatusError(403, "Forbidden", f'{plural} "{name}" is forbidden: {why}', {"name": name, "kind": plural})


class Cause:
    """One fault of an object: `field: message`."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        self.reason, self.field, self.message = reason, field, message

    @classmethod
    def required(cls, field: str, detail: str = "") -> "Cause":
        """A missing field."""
        return cls("FieldValueRequired", field, f"Required value{': ' + detail if detail else ''}")

    @classmethod
    def invalid(cls, field: str, shown: str, detail: str) -> "Cause":
        """A value that is not allowed."""
        return cls("FieldValueInvalid", field, f"Invalid value: {shown}: {detail}")


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> StatusError:
    """422 with a cause per field."""
    what = f"{kind}.{group}" if group else kind
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
    }
    return StatusError(422, "Invalid", f'{what} "{name}" is invalid: {text}', details)
