"""Lists, selectors and watches."""

import asyncio

import pytest

from conformance.conftest import Api, config, gadget


async def names(api: Api, **query: str) -> list[str]:
    code, answer = await api.call("GET", api.path("gadgets"), **query)
    assert code == 200, answer
    return [item["metadata"]["name"] for item in answer["items"]]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("team=x", ["a", "b"]),
        ("team==x", ["a", "b"]),
        ("team!=x", ["c", "d"]),
        ("team in (x, y)", ["a", "b", "c"]),
        ("team notin (x)", ["c", "d"]),
        ("team", ["a", "b", "c"]),
        ("!team", ["d"]),
        ("team=x,tier=1", ["a"]),
    ],
)
async def test_label_selectors(api: Api, selector: str, found: list[str]) -> None:
    for name, labels in {"a": {"team": "x", "tier": "1"}, "b": {"team": "x"}, "c": {"team": "y"}, "d": {}}.items():
        await api.made("gadgets", gadget(name, labels))
    assert await names(api, labelSelector=selector) == found


async def test_field_selectors(api: Api) -> None:
    await api.made("gadgets", gadget("a"))
    await api.made("gadgets", gadget("b", colour="blue"))
    assert await names(api, fieldSelector="metadata.name=a") == ["a"]
    assert await names(api, fieldSelector="spec.colour=blue") == ["b"]
    assert await names(api, fieldSelector="spec.colour!=blue") == ["a"]


async def test_a_field_that_can_not_be_selected_by_is_refused(api: Api) -> None:
    assert (await api.call("GET", api.path("gadgets"), fieldSelector="spec.size=1"))[0] == 400


async def test_a_label_selector_that_is_none_is_refused(api: Api) -> None:
    assert (await api.call("GET", api.path("gadgets"), labelSelector="a in b"))[0] == 400


async def test_lists_come_in_pages(api: Api) -> None:
    for name in "abcde":
        await api.made("gadgets", gadget(name))
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        _, page = await api.call("GET", api.path("gadgets"), **query)
        found += [item["metadata"]["name"] for item in page["items"]]
        assert len(page["items"]) <= 2
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert found == list("abcde")


async def test_a_watch_goes_on_where_a_list_ended(api: Api) -> None:
    await api.made("gadgets", gadget("before"))
    _, listed = await api.call("GET", api.path("gadgets"))
    await api.made("gadgets", gadget("after"))
    await api.patch("gadgets", "after", {"spec": {"size": 2}})
    await api.call("DELETE", api.path("gadgets", "after"))
    events = await api.watch("gadgets", 3, resourceVersion=listed["metadata"]["resourceVersion"])
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert {event["object"]["metadata"]["name"] for event in events} == {"after"}
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions)), "a deletion has a version of its own"


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    await api.made("gadgets", gadget("a"))
    events = await api.watch("gadgets", 1)
    assert (events[0]["type"], events[0]["object"]["metadata"]["name"]) == ("ADDED", "a")


async def test_initial_events_end_with_a_bookmark(api: Api) -> None:
    await api.made("gadgets", gadget("a"))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    events = await api.watch("gadgets", 2, **query)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_what_leaves_a_selector_is_deleted_for_the_watcher(api: Api) -> None:
    made = await api.made("gadgets", gadget("a", {"team": "x"}))
    await api.patch("gadgets", "a", {"metadata": {"labels": {"team": "y"}}})
    await api.patch("gadgets", "a", {"metadata": {"labels": {"team": "x"}}})
    events = await api.watch("gadgets", 2, labelSelector="team=x", resourceVersion=made["metadata"]["resourceVersion"])
    assert [event["type"] for event in events] == ["DELETED", "ADDED"]


async def test_a_write_that_changes_nothing_is_no_event(api: Api) -> None:
    made = await api.made("gadgets", gadget("a"))
    await api.patch("gadgets", "a", {"spec": {"size": 1}})
    await api.patch("gadgets", "a", {"spec": {"size": 2}})
    events = await api.watch("gadgets", 1, resourceVersion=made["metadata"]["resourceVersion"])
    assert events[0]["object"]["spec"]["size"] == 2


async def test_a_watch_from_too_long_ago_is_gone(api: Api) -> None:
    await api.made("gadgets", gadget("a"))
    if api.server:
        api.server.store.compact()
    code, answer = 0, {}
    async with api.session.get(
        api.url + api.path("gadgets"), headers=api.headers, params={"watch": "true", "resourceVersion": "1"}
    ) as response:
        code = response.status
        answer = await asyncio.wait_for(response.content.readline(), 100)
    # A real server says so in the stream or, when it knows at once, in the answer.
    assert (code == 200 and b'"code":410' in answer) or code == 410


async def test_a_watch_ends_when_its_time_is_over(api: Api) -> None:
    assert await api.watch("configmaps", 100, timeoutSeconds="1", fieldSelector="metadata.name=none") == []


async def test_events_are_found_by_the_object_they_are_about(api: Api) -> None:
    made = await api.made("configmaps", config())
    about = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "c",
        "namespace": api.namespace,
        "uid": made["metadata"]["uid"],
    }
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "c.1"},
        "involvedObject": about,
        "reason": "Told",
        "message": "m",
        "type": "Normal",
    }
    await api.made("events", event)
    _, found = await api.call("GET", api.path("events"), fieldSelector="involvedObject.name=c")
    assert [item["reason"] for item in found["items"]] == ["Told"]
