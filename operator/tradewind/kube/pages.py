"""Walking the pages of a list, without reading more of the objects than one wants."""

from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

import msgspec

from tradewind.kube.client import Client
from tradewind.kube.errors import Garbled
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import decoded, pruned
from tradewind.kube.resources import Resource
from tradewind.kube.struct import Struct

T = TypeVar("T")


class Page(Struct, frozen=True):
    """A page of a list; its objects are not parsed."""

    metadata: ListMetadata
    items: list[msgspec.Raw] = []


_parse = partial(decoded, msgspec.json.Decoder(Page).decode)


def parse_page(raw: bytes) -> Page:
    """A page. Raises Garbled."""
    try:
        return _parse(raw)
    except msgspec.MsgspecError as error:
        raise Garbled(f"a list that can't be read: {error}") from None


async def walk(
    client: Client,
    resource: Resource,
    namespace: str | None,
    decoder: msgspec.json.Decoder[T],
    limit: int,
    **query: str,
) -> AsyncIterator[T]:
    """What `decoder` reads of each object, `limit` objects at once."""
    async for item in items(client, resource, namespace, limit, **query):
        yield decoder.decode(item)


async def items(
    client: Client, resource: Resource, namespace: str | None, limit: int, **query: str
) -> AsyncIterator[bytes]:
    """Each object as the API server sends it, but for what is nested too deep; `limit` objects at once."""
    query = {"limit": str(limit), **query}
    while True:
        page = parse_page(await client.list_raw(resource, namespace, **query))
        for item in page.items:
            yield pruned(bytes(item))
        if not page.metadata.continue_:
            return
        if query.get("continue") == page.metadata.continue_:
            raise Garbled("a list that goes on where it was")
        query["continue"] = page.metadata.continue_
