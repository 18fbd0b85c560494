"""Access reviews: asks the API server what someone may do."""

from collections.abc import Mapping
from typing import Any

import orjson

from tradewind.kube.client import Client, Object
from tradewind.kube.resources import ACCESS_REVIEWS, SELF_ACCESS_REVIEWS, Resource


async def may(client: Client, user: Mapping[str, Any], **attributes: str) -> bool:
    """Whether a user may do something. `user` is that of a TokenReview or an AdmissionReview; `attributes` are verb, group, resource,
    namespace and name. Raises ApiError."""
    spec = {
        "user": user.get("username") or "",
        "groups": user.get("groups") or [],
        "uid": user.get("uid") or "",
        "extra": user.get("extra") or {},
        "resourceAttributes": attributes,
    }
    return await _is_allowed(client, ACCESS_REVIEWS, spec)


async def i_may(client: Client, **attributes: str) -> bool:
    """Whether the operator itself may do something. Raises ApiError."""
    return await _is_allowed(client, SELF_ACCESS_REVIEWS, {"resourceAttributes": attributes})


async def _is_allowed(client: Client, resource: Resource, spec: Object) -> bool:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
    status = orjson.loads(await client.create(resource, "", body)).get("status") or {}
    return status.get("allowed") is True and not status.get("denied")
