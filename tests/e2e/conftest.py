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


RELEASES = ("refusals_at_apply", "events_come_through", "secrets_and_restricted", "policies_need_no_webhook")
"""Files whose tests install the chart: releases take CRDs and roles from each other."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the whole session comes last. Beside each other run files, since their tests share a namespace."""
    items.sort(key=lambda item: item.path.name == "test_rights_are_those_that_are_used.py")
    for item in items:
        release = any(f"test_{name}" in item.path.name for name in RELEASES)
        item.add_marker(pytest.mark.xdist_group("releases" if release else item.path.name))
