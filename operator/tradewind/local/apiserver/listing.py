"""Lists, page by page."""

from collections.abc import Mapping

from tradewind.kube.client import Object
from tradewind.local.apiserver.selectors import Match
from tradewind.local.apiserver.store import ObjectStore


def page(
    store: ObjectStore, key: str, namespace: str | None, match: Match, query: Mapping[str, str], back: int = 0
) -> tuple[Object, list[Object]]:
    """A page of a resource's objects, by the query's `limit` and `continue`, and the list's metadata. With `back`, as
    it was that many writes ago."""
    found, version = store.list(key, namespace), str(store.version)
    if back:
        at = max(1, store.shelf(key).dropped, store.version - back)
        found, version = store.before(key, at, namespace), str(at)
    items = [body for body in found if match(body)]
    meta: Object = {"resourceVersion": version}
    if token := query.get("continue"):
        version, _, after = token.partition("|")
        last_namespace, _, last_name = after.partition("/")
        items = [body for body in items if _place(body) > (last_namespace, last_name)]
        meta["resourceVersion"] = version
    limit = int(query.get("limit") or 0)
    if limit and len(items) > limit:
        meta["remainingItemCount"] = len(items) - limit
        items = items[:limit]
        meta["continue"] = f"{version}|{'/'.join(_place(items[-1]))}"
    return meta, items


def _place(body: Object) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]
