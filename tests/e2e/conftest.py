"""Each test runs in both worlds; the real one is marked `e2e`."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tradewind.plan.capacity.shard_share import shard_of
from worlds.accounts import admit
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


@pytest.fixture(scope="module")
def reading(world: World) -> Iterator[World]:
    """A world with an operator that may read Secrets."""
    process = world.start_operator("--read-secrets")
    try:
        yield world
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.e2e)])
def worlds(request: pytest.FixtureRequest) -> Iterator[list[World]]:
    """Two namespaces of different shards of two."""
    names: dict[int, str] = {}
    while len(names) < 2:
        name = f"shard-{secrets.token_hex(2)}"
        names.setdefault(shard_of(name, 2), name)
    if request.param == "embedded":
        make: Callable[[str], World] = request.getfixturevalue("embedded_worlds")
        yield [make(name) for name in names.values()]
    else:
        cluster = request.getfixturevalue("cluster")
        with contextlib.ExitStack() as stack:
            first, second = [stack.enter_context(real(cluster, name)) for name in names.values()]
            admit(cluster, second.namespace, first.namespace)
            yield [first, second]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole session comes last."""
    items.sort(key=lambda item: item.path.name == "test_rbac_rights.py")
