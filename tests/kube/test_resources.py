"""URL paths of the API: a name is one segment, whatever it contains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError, BadName
from tradewind.kube.resources import CLUSTER_POOLS, CONFIG_MAPS, PODS, Resource
from worlds.hostile import NAMES
from yarl import URL

SERVER = "https://api.example.com:6443"


@pytest.mark.parametrize("name", [*NAMES, "", ".", " ", "a b", "a\n", "ä", "a\0", "x" * 254, "a%2fb", "a;b", "a\\b"])
def test_what_is_no_segment_is_refused_wherever_it_stands(name: str) -> None:
    for path in (
        lambda: CONFIG_MAPS.path("team-a", name),
        lambda: CONFIG_MAPS.path(name, "x"),
        lambda: CLUSTER_POOLS.path(None, name),
        lambda: Resource(f"/apis/{name}/b/c", "v1", "APIResourceList"),
        lambda: Resource("/apis/apps/v1", name, "Deployment"),
    ):
        with pytest.raises(BadName, match="no object can have this name"):
            path()


@given(st.text(), st.text())
def test_a_path_stays_in_its_namespace_or_there_is_none(namespace: str, name: str) -> None:
    try:
        path = PODS.path(namespace, name, "log")
    except BadName:
        return
    sent = URL(SERVER + path)
    assert (sent.raw_parts, sent.raw_query_string, sent.raw_fragment) == (
        ("/", "api", "v1", "namespaces", namespace, "pods", name, "log"),
        "",
        "",
    )


def test_names_of_all_kinds_of_objects_are_taken() -> None:
    for name in ("a", "a-b.c", "system:node-proxier", "A_b", "v1.apps"):
        assert CONFIG_MAPS.path("ns", name) == f"/api/v1/namespaces/ns/configmaps/{name}"
    assert CONFIG_MAPS.path() == "/api/v1/configmaps" and CLUSTER_POOLS.path("ns", "p").endswith("/clusterpools/p")


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "Secret", "metadata": {"name": "a", "namespace": "ns"}},
        {"kind": "ConfigMap", "metadata": {"name": "b", "namespace": "ns"}},
        {"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "other"}},
        {"kind": "ConfigMapList", "metadata": {}, "items": []},
        {"kind": "ConfigMap"},
    ],
)
async def test_an_answer_that_is_another_object_is_none(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: object, **__: object) -> object:
        return found

    client = Client(Connection(SERVER))
    monkeypatch.setattr(client, "_json", answer)
    with pytest.raises(ApiError, match="the answer is another object"):
        await client.get(CONFIG_MAPS, "ns", "a")
