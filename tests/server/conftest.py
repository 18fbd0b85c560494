"""A server of the web UI that has an admin's credentials for two namespaces."""

from collections.abc import AsyncIterator

import pytest
from tradewind.kube.client import Client

from server.borders import Borders
from server.guest import Guest, guest
from server.world import ADMIN, borders


@pytest.fixture
async def cluster() -> AsyncIterator[Borders]:
    async with borders() as server:
        yield server


@pytest.fixture
async def client(cluster: Borders) -> AsyncIterator[Client]:
    async with cluster.client(ADMIN) as made:
        yield made


@pytest.fixture
async def there(client: Client) -> AsyncIterator[Guest]:
    async with guest(client) as made:
        yield made
