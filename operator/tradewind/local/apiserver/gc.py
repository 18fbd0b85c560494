"""Garbage collection: deletes objects whose owners are gone."""

from tradewind.kube.client import Object
from tradewind.local.apiserver.store import ObjectStore


def orphans(store: ObjectStore) -> list[tuple[str, Object]]:
    """Objects whose owners are all gone."""
    uids = {body["metadata"]["uid"] for _, body in store.all()}
    return [
        (key, body)
        for key, body in store.all()
        if (owners := body["metadata"].get("ownerReferences"))
        and not body["metadata"].get("deletionTimestamp")
        and not any(owner.get("uid") in uids for owner in owners)
    ]
