"""The stored size of an object, and the API server's answer to one that is too large."""

import pytest
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Invalid
from tradewind.kube.resources import CONFIG_MAPS
from tradewind.kube.size import OBJECT_LIMIT, stored_size
from tradewind.local.apiserver import ApiServer


@pytest.mark.parametrize(("text", "size"), [("ab", 2), ("<>&", 18), ("\u2028", 6), ("ü", 2), ("\b\f", 4)])
def test_the_size_of_a_status_is_that_in_the_store_of_the_api_server(text: str, size: int) -> None:
    """Go's encoder escapes characters that HTML would interpret."""
    assert stored_size({"m": text}) == len('{"m":""}') + size


async def test_an_object_that_is_too_large_is_none_that_will_be_taken_later() -> None:
    """The API server answers 500, as it does for temporary failures."""
    async with ApiServer() as server, Client(Connection(server.url)) as client:
        with pytest.raises(Invalid, match="request is too large"):
            await client.create(CONFIG_MAPS, "default", {"metadata": {"name": "a"}, "data": {"k": "x" * OBJECT_LIMIT}})
