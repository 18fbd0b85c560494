"""Each test runs in both worlds; the real one is marked `e2e`."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worlds.real import real
from worlds.world import World


@pytest.fixture(scope="session")
def embedded_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    folder: Path = tmp_path_factory.mktemp("embedded")
    from worlds.embedded import embedded

    with embedded(folder) as make:
        yield make


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.e2e)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    namespace = f"{request.module.__name__.rpartition('.')[2].removeprefix('test_').replace('_', '-')[:40].rstrip('-')}-{secrets.token_hex(2)}"
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_worlds")(namespace)
    else:
        with real(request.getfixturevalue("cluster"), namespace) as made:
            yield made


@pytest.fixture(scope="module")
def operated(world: World) -> Iterator[World]:
    """A world with an operator."""
    with world.operator():
        yield world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole session comes last."""
    items.sort(key=lambda item: item.path.name == "test_rbac_rights.py")
