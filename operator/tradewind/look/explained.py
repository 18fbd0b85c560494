"""Errors of the API server, in words."""

import re

from tradewind.kube.errors import ApiError, Forbidden, NotFound, Unauthorized

_UNKNOWN_FIELD = re.compile(r'(\S+): field not declared in schema|unknown field "([^"]+)"')
"""How an API server names a field that a CRD lacks. Manifests have been checked here before, so that this version knows it."""


def explained(error: ApiError) -> str:
    """The server's message and, if there is one, a hint."""
    match error:
        case Unauthorized():
            return f"the cluster does not accept your credentials: {error.message or error.reason}"
        case Forbidden():
            return f"not allowed: {error.message}"
        case NotFound(unknown_kind=True):
            return "the cluster does not know DAGs: install Tradewind (helm install), or apply its CRDs"
        case _ if "storage is (re)initializing" in error.message:
            return "the CRDs were just installed: try again in some seconds"
        case _ if fields := _UNKNOWN_FIELD.findall(error.message):
            names = ", ".join(dict.fromkeys(declared.lstrip(".") or strict for declared, strict in fields))
            words = "the cluster's CRDs are of another version than this command and don't know"
            return f"{words} {names}: `tradewind doctor` says what to do"
        case _:
            return error.message or str(error)
