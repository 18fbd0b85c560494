"""What is kept of the objects that triggers follow: only those, in little memory, and no values of Secrets."""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from tradewind.control.triggers.object_watches import KindWatch, ObjectWatches
from tradewind.kube.client import Client
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import CONFIG_MAPS, SECRETS, Resource
from tradewind.model.object_change import ConditionWanted, LabelSelector, ObjectChange
from tradewind.plan.triggers.object_change import Change, Observed, condition_holds, values


def follow(kind: str = "ConfigMap", condition: ConditionWanted | None = None, **labels: str) -> ObjectChange:
    changes: list[Any] = ["Created", "Condition"] if condition else ["Created"]
    selector = LabelSelector(match_labels=labels)
    return ObjectChange(api_version="v1", kind=kind, changes=changes, label_selector=selector, condition=condition)


def body(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "7", "labels": labels or {}}
    return {"metadata": {**meta, "managedFields": [{"manager": "x"}]}, **more}


def watch(*follows: ObjectChange, resource: Resource = CONFIG_MAPS) -> KindWatch:
    return KindWatch(Client.__new__(Client), resource, "ns", lambda: None, {str(spec): spec for spec in follows})


def shown(found: Any) -> Any:
    """An object as expressions see it."""
    return values(Change("Created", "x", found))["object"]


def test_objects_that_no_trigger_follows_are_not_kept() -> None:
    kind = watch(follow(app="a"), follow(app="b"))
    for at, labels in enumerate(({"app": "a"}, {"app": "b"}, {"app": "c"}, {}, {"app": "a", RUN_UID: "u"})):
        kind.take_event("ADDED", orjson.dumps(body(f"x{at}", labels)))
    assert [*kind.objects] == ["x0", "x1"]
    kind.take_event("MODIFIED", orjson.dumps(body("x0", {"app": "c"})))
    assert [*kind.objects] == ["x1"]
    kind.take_event("DELETED", orjson.dumps(body("x1", {"app": "b"})))
    assert not kind.objects


def test_what_is_kept_of_an_object_takes_little_more_than_its_text() -> None:
    raw = orjson.dumps(body("x", rows=[[] for _ in range(300_000)]))
    kind = watch(follow())
    tracemalloc.start()
    kind.take_event("ADDED", raw)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 2 * len(raw)


def test_expressions_see_the_whole_object_as_ever() -> None:
    kind = watch(follow())
    kind.take_event("ADDED", orjson.dumps(body("x", {"a": "b"}, data={"n": "1"}, status={"phase": "Ready"})))
    meta = {"name": "x", "namespace": "ns", "uid": "x", "resourceVersion": "7", "labels": {"a": "b"}}
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"n": "1"}}
    assert shown(kind.objects["x"]) == {**wanted, "status": {"phase": "Ready"}}


def test_of_a_secret_no_value_is_kept() -> None:
    kind = watch(follow("Secret"), resource=SECRETS)
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    secret = body("x", type="Opaque", data={"password": "hunter2"})
    secret["metadata"]["annotations"] = annotations
    kind.take_event("ADDED", orjson.dumps(secret))
    found = kind.objects["x"]
    assert isinstance(found, Observed) and b"hunter2" not in found.raw and shown(found)["type"] == "Opaque"


@pytest.mark.parametrize("status", ["odd", {"conditions": {"odd": 1}}, {"conditions": [3, {"type": "Ready"}]}, None])
def test_conditions_of_another_shape_are_none(status: Any) -> None:
    spec = follow(condition=ConditionWanted(type="Ready"))
    kind = watch(spec)
    kind.take_event("ADDED", orjson.dumps(body("x", status=status)))
    assert not condition_holds(spec, kind.objects["x"])
    good = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}]}
    kind.take_event("MODIFIED", orjson.dumps(body("x", status=good)))
    assert condition_holds(spec, kind.objects["x"]) and "Other" not in str(dict(kind.objects["x"]))


class Api(Client):
    """Has ConfigMaps that never change."""

    def __init__(self) -> None:
        self.lists = 0

    async def list(self, resource: Any, namespace: str | None = None, **query: str) -> Any:
        return {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        self.lists += query["limit"] != "1"
        found = [body(name, {"app": name}) for name in "abc"]
        return orjson.dumps({"metadata": {"resourceVersion": "9"}, "items": found})

    async def watch(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()
        yield b""


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not met():
            await asyncio.sleep(0)


async def test_triggers_of_a_kind_share_a_watch_which_begins_again_for_others_of_its_objects() -> None:
    api, woken = Api(), list[Any]()
    watches = ObjectWatches(api, woken.append)

    async def of(trigger: str, label: str) -> list[str]:
        while (found := await watches.of(("ns", trigger), follow(app=label))) is None:
            await until(lambda: bool(woken))
            woken.clear()
        return sorted(found)

    assert await of("t", "a") == ["a"] and api.lists == 1
    assert await of("same", "a") == ["a"] and api.lists == 1
    assert await of("other", "b") == ["a", "b"] and api.lists == 2
    assert await of("t", "a") == ["a", "b"] and api.lists == 2
    watches.release(("ns", "other"))
    assert await of("t", "a") == ["a"] and api.lists == 2
    assert await of("t", "c") == ["a", "c"] and api.lists == 3
    assert await of("same", "c") == ["c"] and api.lists == 3
    await watches.close()
