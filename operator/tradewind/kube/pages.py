"""Reads the pages of a list, and only the needed parts of its objects."""

from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

import msgspec

from tradewind.kube.client import Client
from tradewind.kube.errors import Garbled, TooLong
from tradewind.kube.lists import ListMetadata
from tradewind.kube.nested import decoded, pruned
from tradewind.kube.resources import Resource
from tradewind.kube.struct import Struct

T = TypeVar("T")
PAGE = 16 * 2**20
"""Bytes of a page: tenants decide how large objects are, and hundreds of the largest would not fit into memory together."""


class Page(Struct, frozen=True):
    """A page of a list with unparsed objects."""

    metadata: ListMetadata
    items: list[msgspec.Raw] = []


_parse = partial(decoded, msgspec.json.Decoder(Page).decode)


def parse_page(raw: bytes) -> Page:
    """A page. Raises Garbled."""
    try:
        return _parse(raw)
    except msgspec.MsgspecError as error:
        raise Garbled(f"a list that can't be read: {error}") from None


class Pager:
    """Reads the pages of a list: of `limit` objects, or of fewer if these are too large together."""

    def __init__(self, client: Client, resource: Resource, namespace: str | None, limit: int, **query: str) -> None:
        self._client, self._resource, self._namespace, self._query = client, resource, namespace, query
        self._limit = self._next = limit

    async def page(self, token: str = "") -> bytes:
        """The first page, or the one for a `continue` token."""
        more = {"continue": token} if token else {}
        while True:
            limit = str(self._next)
            try:
                found = await self._client.list_raw(
                    self._resource, self._namespace, most=PAGE, limit=limit, **self._query, **more
                )
            except TooLong:
                if self._next == 1:
                    raise
                self._next = max(1, self._next // 4)
            else:
                self._next = min(self._limit, 2 * self._next)
                return found


async def walk(
    client: Client,
    resource: Resource,
    namespace: str | None,
    decoder: msgspec.json.Decoder[T],
    limit: int,
    **query: str,
) -> AsyncIterator[T]:
    """The decoded part of each object; reads `limit` objects at once."""
    async for item in items(client, resource, namespace, limit, **query):
        yield decoder.decode(item)


async def items(
    client: Client, resource: Resource, namespace: str | None, limit: int, **query: str
) -> AsyncIterator[bytes]:
    """Each object as sent by the API server, without levels that are nested too deeply; reads `limit` objects at once."""
    pager, token = Pager(client, resource, namespace, limit, **query), ""
    while True:
        page = parse_page(await pager.page(token))
        for item in page.items:
            yield pruned(bytes(item))
        if not page.metadata.continue_:
            return
        if token == page.metadata.continue_:
            raise Garbled("a list that goes on where it was")
        token = page.metadata.continue_
