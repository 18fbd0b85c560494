"""Walking the pages of a list, without reading more of the objects than one wants."""

from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from tradewind.kube.client import Client
from tradewind.kube.pod import ListMetadata, Struct
from tradewind.kube.resources import Resource

T = TypeVar("T")


class _Page(Struct, frozen=True):
    metadata: ListMetadata
    items: list[msgspec.Raw] = []


_page = msgspec.json.Decoder(_Page).decode


async def walk(
    client: Client,
    resource: Resource,
    namespace: str | None,
    decoder: msgspec.json.Decoder[T],
    limit: int,
    **query: str,
) -> AsyncIterator[T]:
    """What `decoder` reads of each object, `limit` objects at once."""
    query = {"limit": str(limit), **query}
    while True:
        page = _page(await client.list_raw(resource, namespace, **query))
        for item in page.items:
            yield decoder.decode(item)
        if not page.metadata.continue_:
            return
        query["continue"] = page.metadata.continue_
