"""What someone may do, as the API server says."""

from collections.abc import Mapping
from typing import Any

import orjson

from tradewind.kube.client import Client, Object
from tradewind.kube.resources import ACCESS_REVIEWS, SELF_ACCESS_REVIEWS, Resource


async def may(client: Client, user: Mapping[str, Any], **attributes: str) -> bool:
    """Whether a user, as a TokenReview or an AdmissionReview tells of him, may do something: verb, group, resource, namespace, name.
    Raises ApiError."""
    spec = {
        "user": user.get("username") or "",
        "groups": user.get("groups") or [],
        "uid": user.get("uid") or "",
        "extra": user.get("extra") or {},
        "resourceAttributes": attributes,
    }
    return await _allowed(client, ACCESS_REVIEWS, spec)


async def i_may(client: Client, **attributes: str) -> bool:
    """The same of whoever asks. Raises ApiError."""
    return await _allowed(client, SELF_ACCESS_REVIEWS, {"resourceAttributes": attributes})


async def _allowed(client: Client, resource: Resource, spec: Object) -> bool:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
    status = orjson.loads(await client.create(resource, "", body)).get("status") or {}
    return status.get("allowed") is True and not status.get("denied")
