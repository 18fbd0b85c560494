"""Triggers that follow objects: histories of restarts, faults and changes create exactly the wanted runs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.triggers.object_watches import Body, ObjectWatches
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.source import NotReady, Source
from tradewind.control.triggers.sources.object_change import ObjectSource
from tradewind.kube.client import Client
from tradewind.kube.resources import CONFIG_MAPS, DAGS, TRIGGERS, Key
from tradewind.model.object_change import ObjectChange

from control.factworld import Operator, Server

FAULTS = st.lists(st.sampled_from(["", "", "before", "after"]), max_size=4)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "create",
                "update",
                "update",
                "delete",
                "flip",
                "look",
                "look",
                "save",
                "crash",
                "crash while looking",
                "other leader",
            ]
        ),
        st.sampled_from(["x", "y", "z"]),
        FAULTS,
    ),
    max_size=40,
)
Steps = list[tuple[str, str, list[str]]]


class Watches(ObjectWatches):
    """Informers that always know the server's state."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def of(self, trigger: Key, spec: ObjectChange) -> dict[str, Body] | None:
        found = self._server.objects.items()
        return {name: dict(body) for (plural, _, name), body in found if plural == CONFIG_MAPS.plural}

    def release(self, trigger: Key) -> None:
        pass


class ObjectOperator(Operator):
    def sources(self, own: TriggerReconciler) -> Mapping[str, Source]:
        there = self.server
        return {"object": ObjectSource(Watches(there), lambda: there.now)}


def operator(there: Server) -> Operator:
    return ObjectOperator(there)


def world(**spec: Any) -> Server:
    there = Server()
    there.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}, "params": spec.pop("declared", {})}})
    more = {name: spec.pop(name) for name in ("params", "when") if name in spec}
    there.trigger(object={"apiVersion": "v1", "kind": "ConfigMap", **spec}, **more)
    return there


def put(there: Server, name: str, labels: Mapping[str, str] | None = None, **body: Any) -> Body:
    before = there.objects.get((CONFIG_MAPS.plural, "ns", name))
    meta = {**(before["metadata"] if before else {"name": name}), **({"labels": labels} if labels is not None else {})}
    return there.put(CONFIG_MAPS, {**(before or {}), "kind": "ConfigMap", **body, "metadata": meta})


def remove(there: Server, name: str) -> None:
    del there.objects[CONFIG_MAPS.plural, "ns", name]


async def play(there: Server, history: Steps, each: bool) -> list[str]:
    """Plays a history; returns each change. Passes run after `each` change, or at random."""
    ours, changes = operator(there), list[str]()
    old = ours
    for what, name, faults in history:
        there.faults = list(faults)
        known = there.objects.get((CONFIG_MAPS.plural, "ns", name))
        there.now += 1
        match what:
            case "create" if known is None:
                body = put(there, name)
                changes.append(f"ConfigMap {name} Created, version {body['metadata']['resourceVersion']}")
            case "update" if known is not None:
                body = put(there, name, data={"n": str(there.version)})
                changes.append(f"ConfigMap {name} Updated, version {body['metadata']['resourceVersion']}")
            case "delete" if known is not None:
                remove(there, name)
                changes.append(f"ConfigMap {name} Deleted")
            case "flip" if known is not None:
                ready = known.get("status") == {"conditions": [{"type": "Ready", "status": "True"}]}
                body = put(there, name, status={"conditions": [{"type": "Ready", "status": str(not ready)}]})
                if not ready:
                    changes.append(f"ConfigMap {name} Condition, version {body['metadata']['resourceVersion']}")
            case "save":
                await ours.save()
            case "crash" | "crash while looking":
                if what == "crash while looking":
                    await ours.look()
                old, ours = ours, operator(there)
            case "other leader":  # one that does not know yet that it no longer leads
                await old.look()
                await old.save()
        if each or what == "look":
            for _ in range(6 if each else 1):  # as long as it takes with these faults
                await ours.look()
    there.faults = []
    for _ in range(6):
        await ours.look()
        await ours.save()
    return changes


def made(there: Server) -> list[str]:
    return sorted(cause.partition(", version")[0] if "Deleted" in cause else cause for cause in there.causes())


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_changes_that_are_looked_at_one_by_one_make_a_run_each(history: Steps) -> None:
    there = world(changes=["Created", "Updated", "Deleted"])
    changes = asyncio.run(play(there, [step for step in history if step[0] != "flip"], each=True))
    assert made(there) == sorted(changes)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_condition_makes_a_run_whenever_it_has_become_so(history: Steps) -> None:
    there = world(changes=["Condition"], condition={"type": "Ready"})
    changes = asyncio.run(play(there, history, each=True))
    assert made(there) == sorted(change for change in changes if "Condition" in change)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_changes_that_follow_each_other_unseen_count_as_one_and_none_twice(history: Steps) -> None:
    there = world(changes=["Created", "Updated", "Deleted"])
    changes = asyncio.run(play(there, [step for step in history if step[0] != "flip"], each=False))
    causes = made(there)
    versions = [cause for cause in there.causes() if "version" in cause]
    assert len(versions) == len(set(versions))
    for name in ("x", "y", "z"):
        ours = [cause.split()[2].rstrip(",") for cause in causes if cause.startswith(f"ConfigMap {name} ")]
        happened = [change for change in changes if change.startswith(f"ConfigMap {name} ")]
        there_is = bool(happened) and "Deleted" not in happened[-1]
        assert ours.count("Created") - ours.count("Deleted") == there_is
        if there_is:  # its latest version has a run
            version = happened[-1].rpartition(" ")[2]
            assert any(cause.endswith(f"version {version}") for cause in causes)


async def settle(there: Server, ours: Operator | None = None) -> Operator:
    return await (ours or operator(there)).settle()


async def test_params_and_filters_know_the_object_as_it_is_and_was() -> None:
    there = world(
        changes=["Updated"],
        when="object.data.n != old.data.n",
        params={"n": "$[[ object.data.n ]]", "was": "$[[ old.data.n ]]", "what": "$[[ change ]]"},
        declared={name: {"type": "string"} for name in ("n", "was", "what")},
    )
    put(there, "x", data={"n": "1"})
    ours = await settle(there)
    put(there, "x", labels={"a": "b"})
    await settle(there, ours)
    put(there, "x", data={"n": "2"})
    await settle(there, ours)
    assert [run["spec"]["params"] for run in there.made().values()] == [{"n": "2", "was": "1", "what": "Updated"}]
    [run] = there.made().values()
    assert run["metadata"]["labels"]["tradewind.dev/trigger-type"] == "object"


async def test_what_was_there_before_the_trigger_is_not_created() -> None:
    there = Server()
    there.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}}})
    put(there, "old")
    there.now += 5
    there.trigger(object={"apiVersion": "v1", "kind": "ConfigMap", "changes": ["Created"]})
    put(there, "new")
    await settle(there)
    assert [cause.split(",")[0] for cause in there.causes()] == ["ConfigMap new Created"]


async def test_only_objects_with_the_labels_are_followed() -> None:
    selector = {
        "matchLabels": {"app": "etl"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "tier", "operator": "NotIn", "values": ["b"]},
            {"key": "app", "operator": "Exists"},
            {"key": "off", "operator": "DoesNotExist"},
        ],
    }
    there = world(changes=["Created", "Deleted"], labelSelector=selector)
    ours = await settle(there)
    good = {"app": "etl", "tier": "a"}
    put(there, "good", labels=good)
    others = ({"app": "etl"}, {"app": "x", "tier": "a"}, {"app": "etl", "tier": "b"}, {**good, "off": ""})
    for at, labels in enumerate(others):
        put(there, f"bad-{at}", labels=labels)
    await settle(there, ours)
    put(there, "good", labels={})
    await settle(there, ours)
    assert [" ".join(cause.split()[1:3]).rstrip(",") for cause in there.causes()] == ["good Created", "good Deleted"]


async def test_what_changed_while_it_was_suspended_does_not_count() -> None:
    there = world(changes=["Created", "Updated", "Deleted"])
    for name in ("x", "y"):
        put(there, name)
    ours = await settle(there)
    before = len(there.causes())
    body = there.objects[TRIGGERS.plural, "ns", "t"]
    for generation, suspended in ((2, True), (3, False)):
        body["spec"]["suspend"], body["metadata"]["generation"] = suspended, generation
        ours.trigger_seen(body)
        if not suspended:
            put(there, "x")
            put(there, "z")
            remove(there, "y")
        await settle(there, ours)
    assert len(there.causes()) == before
    put(there, "z")
    await settle(there, ours)
    assert len(there.causes()) == before + 1


async def test_more_objects_than_a_status_holds_are_refused() -> None:
    there = world(changes=["Created"])
    for at in range(501):
        put(there, f"x{at}")
    await operator(there).look()
    ours = operator(there)
    await ours.look()
    await ours.save()
    assert there.status()["phase"] == "Waiting" and "501 objects match" in there.status()["message"]


async def test_what_a_secret_holds_is_not_told() -> None:
    there = world(
        changes=["Created"], params={"x": "$[[ string(has(object.data)) ]]"}, declared={"x": {"type": "string"}}
    )
    put(there, "x", kind="Secret", data={"password": "hunter2"})
    await settle(there)
    assert [run["spec"]["params"] for run in there.made().values()] == [{"x": "false"}]


class Discovery(Client):
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def list(self, resource: Any, namespace: str | None = None, **query: str) -> Any:
        return {
            "resources": [
                {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
                {"name": "nodes", "kind": "Node", "namespaced": False},
            ]
        }

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: str) -> bytes:
        raise self.error or AssertionError


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Pot", "spec.object.kind: v1 has no kind 'Pot'; it has: ConfigMap, Node"),
        ("Node", "spec.object.kind: a Node is not namespaced"),
        (
            "ConfigMap",
            'add {apiGroups: [""], resources: [configmaps], verbs: [list, watch]} to the chart\'s objectTriggers',
        ),
    ],
)
async def test_what_can_not_be_followed_is_told(kind: str, words: str) -> None:
    from tradewind.kube.errors import Forbidden

    watches = ObjectWatches(Discovery(Forbidden(403, "Forbidden", "no")), lambda _: None)
    with pytest.raises(NotReady) as caught:
        await watches.of(("ns", "t"), ObjectChange(api_version="v1", kind=kind, changes=["Created"]))
    assert words in str(caught.value)


async def test_a_status_that_someone_has_garbled_begins_anew() -> None:
    there = world(changes=["Created"])
    put(there, "x")
    await settle(there)
    there.status()["object"]["known"] = "nonsense"
    put(there, "y")
    ours = await settle(there)
    put(there, "z")
    await settle(there, ours)
    assert [cause.split(",")[0] for cause in there.causes()] == ["ConfigMap x Created", "ConfigMap z Created"]
