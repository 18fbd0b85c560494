"""What someone may do, as the API server says."""

from collections.abc import Mapping
from typing import Any

import orjson

from tradewind.kube.client import Client
from tradewind.kube.resources import ACCESS_REVIEWS


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
    body = {"apiVersion": ACCESS_REVIEWS.api_version, "kind": ACCESS_REVIEWS.kind, "spec": spec}
    status = orjson.loads(await client.create(ACCESS_REVIEWS, "", body)).get("status") or {}
    return status.get("allowed") is True and not status.get("denied")
