"""The API server is away: the server says so and what to do, keeps running, and continues afterwards."""

import asyncio

import pytest
from tradewind.kube.errors import Unavailable
from tradewind.server.serving import opened

from server.borders import Borders
from server.guest import guest
from server.test_rights import BODIES, FOLLOWED, NAMESPACED, path_of
from server.world import ADMIN

LISTS = ("runs", "overview", "dags", "approvals", "triggers", "backfills", "pools", "assets", "search?q=e")


async def test_what_must_be_asked_for_is_refused_with_words_and_comes_back(cluster: Borders) -> None:
    async with cluster.client(ADMIN) as client, guest(client) as there:
        await there.get("runs/a/etl-1")
        cluster.away = True
        there.service.access.forget()
        for route in NAMESPACED:
            if route in FOLLOWED:
                continue
            status, answer = await there.ask(route.method, path_of(route, "a"), BODIES.get(route.path))
            assert status == 503, (route.key, answer)
            assert "the page tries again by itself" in answer["detail"] and answer["title"]
        cluster.away = False
        assert (await there.get("runs/a/etl-1"))["run"]["name"] == "etl-1"
        for path in LISTS:
            await there.get(path)


async def test_lists_are_shown_from_memory_while_rights_are_known(cluster: Borders) -> None:
    async with cluster.client(ADMIN) as client, guest(client) as there:
        for path in LISTS:
            await there.get(path)
        cluster.away = True
        for path in LISTS:
            await there.get(path)


async def test_what_happens_meanwhile_is_seen_afterwards(cluster: Borders) -> None:
    async with cluster.client(ADMIN) as client, guest(client) as there:
        await there.get("runs")
        cluster.away = True
        kind = cluster.operations.kind("tradewind.dev", "v1alpha1", "dagruns")
        cluster.operations.create(kind, "a", {"metadata": {"name": "late"}, "spec": {"dag": "etl"}})
        cluster.away = False
        async with asyncio.timeout(60):
            while "late" not in [run["name"] for run in (await there.get("runs"))["runs"]]:
                await asyncio.sleep(0.05)


async def test_it_does_not_start_without_a_cluster(cluster: Borders) -> None:
    cluster.away = True
    async with cluster.client(ADMIN) as client:
        with pytest.raises(Unavailable):
            async with opened(client, mode="kubeconfig"):
                pass
