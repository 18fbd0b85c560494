"""Who sees what: every route of the table, for every kind of user."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tradewind.server.route import Form, Route
from tradewind.server.table import ROUTES

from server.borders import Borders
from server.guest import Guest, guest
from server.world import ADMIN, NO_PODS, NOBODY, ONLY_A

NAMES = {"a": "etl", "b": "secretive"}
BODIES: dict[str, Any] = {
    "session": {"token": "x"},
    "runs/{namespace}/{name}/actions": {"action": "suspend"},
    "dags/{namespace}/{name}/runs": {"params": {}},
    "approvals/{namespace}/{name}": {"approve": True},
}
QUERIES = {"search": "?q=e", "stream": "?topic=overview"}
CLOSED = [route for route in ROUTES if not route.open]
NAMESPACED = [route for route in CLOSED if "{namespace}" in route.path]
ALL = [route for route in CLOSED if "{namespace}" not in route.path]
FOLLOWED = [route for route in CLOSED if route.form is Form.STREAM]


def path_of(route: Route, namespace: str, there: bool = True) -> str:
    """A path of a route in a namespace, to an object that exists or not."""
    dag = NAMES[namespace] if there else "nothing"
    name = (
        dag if route.path.startswith("dags/") else f"{dag}-1-ask" if route.path.startswith("approvals/") else f"{dag}-1"
    )
    parts = {"namespace": namespace, "name": name, "run": f"{dag}-1", "key": "work", "attempt": "1", "number": "1"}
    return route.path.format(**parts) + QUERIES.get(route.path, "")


def named(route: Route) -> str:
    return route.key


@pytest.fixture
async def stranger(cluster: Borders) -> AsyncIterator[Guest]:
    async with cluster.client(ADMIN) as client, guest(client, sign_in=False) as made:
        yield made


async def test_without_a_session_nothing_is_answered(stranger: Guest) -> None:
    for route in CLOSED:
        status, found = await stranger.ask(route.method, path_of(route, "a"), BODIES.get(route.path, {}))
        assert status == 401 and "etl" not in str(found), route.key


async def _statuses(there: Guest, namespace: str) -> dict[str, tuple[int, str]]:
    found = {}
    for route in NAMESPACED:
        if route in FOLLOWED:
            continue
        suffix = "?preview" if route.method == "POST" else ""
        status, answer = await there.ask(route.method, path_of(route, namespace) + suffix, BODIES.get(route.path))
        found[route.key] = (status, str(answer))
    return found


async def test_an_admin_sees_everything(cluster: Borders) -> None:
    async with cluster.client(ADMIN) as client, guest(client) as there:
        for namespace in ("a", "b"):
            found = await _statuses(there, namespace)
            assert {status for status, _ in found.values()} == {200}, found
        for route in ALL:
            if route not in FOLLOWED:
                status, answer = await there.ask(route.method, path_of(route, "a"))
                assert status == 200, (route.key, answer)
        assert {run["namespace"] for run in (await there.get("runs"))["runs"]} == {"a", "b"}


async def test_rights_in_one_namespace_show_nothing_of_another(cluster: Borders) -> None:
    async with cluster.client(ONLY_A) as client, guest(client, namespaces=["a", "b"]) as there:
        own = await _statuses(there, "a")
        assert {status for status, _ in own.values()} == {200}, own
        other = await _statuses(there, "b")
        assert {status for status, _ in other.values()} == {403}, other
        assert not [key for key, (_, answer) in other.items() if "secretive" in answer]
        for route in ALL:
            if route in FOLLOWED:
                continue
            status, answer = await there.ask(route.method, path_of(route, "a"))
            assert status == 200, (route.key, answer)
            assert "secretive" not in str(answer), route.key
            if "namespace" in route.query.model_fields and route.path != "health":
                glue = "&" if "?" in path_of(route, "b") else "?"
                status, answer = await there.ask("GET", f"{path_of(route, 'b')}{glue}namespace=b")
                assert status in (200, 403) and "secretive" not in str(answer), route.key


async def test_what_exists_and_what_does_not_are_refused_alike(cluster: Borders) -> None:
    async with cluster.client(ONLY_A) as client, guest(client, namespaces=["a"]) as there:
        for route in NAMESPACED:
            body = BODIES.get(route.path)
            refused = [await there.ask(route.method, path_of(route, "b", exists), body) for exists in (True, False)]
            assert refused[0] == refused[1] and refused[0][0] == 403, route.key


async def test_topics_of_other_namespaces_can_not_be_followed(cluster: Borders) -> None:
    async with cluster.client(ONLY_A) as client, guest(client, namespaces=["a"]) as there:
        for topic in ("runs:b", "run:b/secretive-1", "dag:b/secretive"):
            status, answer = await there.ask("GET", f"stream?topic=overview&topic={topic}")
            assert status == 403, answer
        for topic in ("runs", "run:a", "dag:", "x", "run:a/b/c", "", "runs:a/b"):
            status, answer = await there.ask("GET", f"stream?topic={topic}")
            assert status == 400, (topic, answer)


async def test_without_any_right_one_is_told_so(cluster: Borders) -> None:
    async with cluster.client(NOBODY) as client, guest(client, namespaces=["a"]) as there:
        me = await there.get("me")
        assert "you may not list and watch dagruns in namespace a" in [item["words"] for item in me["problems"]]
        assert me["can"] == {"*": {}, "a": {}}
        for route in itertools.chain(NAMESPACED, ALL):
            if route.path in ("me", "openapi.json", "health") or route in FOLLOWED:
                continue
            status, answer = await there.ask(route.method, path_of(route, "a"), BODIES.get(route.path))
            assert status in (200, 403) and "etl" not in str(answer), (route.key, answer)


async def test_without_the_right_to_see_pods_the_rest_is_shown(cluster: Borders) -> None:
    async with cluster.client(NO_PODS) as client, guest(client) as there:
        run = await there.get("runs/a/etl-1")
        assert "you may not list pods in namespace a" in run["partial"] and run["run"]["events"] == []
        assert run["can"] == dict.fromkeys(("cancel", "terminate", "suspend", "resume", "retry", "delete"), False)
        tasks = await there.get("runs/a/etl-1/tasks")
        states = dict(zip(tasks["key"], (tasks["states"][state] for state in tasks["state"]), strict=True))
        assert states["load"] == "Succeeded" and tasks["partial"] == run["partial"]
        assert (await there.get("runs/a/etl-1/tasks/load"))["pod"] is None
        status, answer = await there.ask("GET", "logs/a/etl-1/work/1")
        assert status == 403 and "get pods/log" in answer["detail"]
        status, answer = await there.ask("POST", "runs/a/etl-1/actions", {"action": "cancel"})
        assert status == 403 and "patch dagruns" in answer["detail"]
        assert (await there.get("overview"))["dags"][0]["name"] == "etl"


async def test_a_right_that_was_withdrawn_ends_within_a_minute(
    cluster: Borders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewind.server.access.LASTS", 0.0)
    cluster.users = dict(cluster.users)
    async with cluster.client(ONLY_A) as client, guest(client, namespaces=["a"]) as there:
        assert (await there.get("runs"))["runs"]
        cluster.users[ONLY_A] = []
        status, answer = await there.ask("GET", "runs?namespace=a")
        assert status == 403, answer
        assert (await there.get("runs"))["runs"] == []
