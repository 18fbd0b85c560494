"""Creating, changing and deleting objects."""

import asyncio
from typing import Any

import pytest

from conformance.conftest import Api, config, gadget, pod


def fields(answer: Any) -> set[str]:
    return {cause["field"] for cause in answer["details"]["causes"]}


async def test_a_created_object_has_what_the_server_adds(api: Api) -> None:
    meta = (await api.made("gadgets", gadget()))["metadata"]
    assert (
        meta["uid"]
        and int(meta["resourceVersion"]) > 0
        and meta["creationTimestamp"].endswith("Z")
        and meta["generation"] == 1
    )


async def test_a_name_is_taken_once(api: Api) -> None:
    await api.made("configmaps", config())
    code, answer = await api.create("configmaps", config())
    assert (code, answer["reason"], answer["kind"]) == (409, "AlreadyExists", "Status") and answer["details"][
        "name"
    ] == "c"


async def test_generate_name_adds_five_characters(api: Api) -> None:
    body = config()
    body["metadata"] = {"generateName": "run-"}
    name = (await api.made("configmaps", body))["metadata"]["name"]
    assert name.startswith("run-") and len(name) == 9


async def test_a_name_is_required(api: Api) -> None:
    body = config()
    body["metadata"] = {}
    code, answer = await api.create("configmaps", body)
    assert code == 422 and "metadata.name" in fields(answer)


async def test_a_bad_name_is_refused_with_its_field(api: Api) -> None:
    code, answer = await api.create("configmaps", config("Not_Valid"))
    assert (code, answer["reason"]) == (422, "Invalid") and fields(answer) == {"metadata.name"}


async def test_a_bad_label_value_is_refused(api: Api) -> None:
    code, answer = await api.create("configmaps", config(labels={"a": "not valid!"}))
    assert code == 422 and fields(answer) == {"metadata.labels"}


async def test_a_resource_version_can_not_be_set_on_create(api: Api) -> None:
    body = config()
    body["metadata"]["resourceVersion"] = "5"
    assert (await api.create("configmaps", body))[0] >= 400


async def test_another_namespace_in_the_body_is_refused(api: Api) -> None:
    body = config()
    body["metadata"]["namespace"] = "other"
    assert (await api.create("configmaps", body))[0] == 400


async def test_a_namespace_that_is_not_there_is_404(api: Api) -> None:
    code, answer = await api.call("POST", "/api/v1/namespaces/nowhere-at-all/configmaps", config())
    assert (code, answer["reason"]) == (404, "NotFound")


async def test_a_missing_object_is_404_with_a_status(api: Api) -> None:
    code, answer = await api.call("GET", api.path("gadgets", "none"))
    assert (code, answer["reason"], answer["details"]["name"]) == (404, "NotFound", "none")
    assert answer["message"] == 'gadgets.conformance.tradewind.dev "none" not found'


async def test_an_unknown_resource_is_404(api: Api) -> None:
    assert (await api.call("GET", "/apis/conformance.tradewind.dev/v1/widgets"))[0] == 404


async def test_a_broken_body_is_400(api: Api) -> None:
    assert (await api.create("configmaps", b'{"a": '))[0] == 400


async def test_a_stale_put_is_a_conflict(api: Api) -> None:
    old = await api.made("configmaps", config(a="1"))
    await api.patch("configmaps", "c", {"data": {"a": "2"}})
    code, answer = await api.call("PUT", api.path("configmaps", "c"), {**old, "data": {"a": "3"}})
    assert (code, answer["reason"]) == (409, "Conflict") and "the object has been modified" in answer["message"]


async def test_a_put_without_resource_version_replaces(api: Api) -> None:
    await api.made("configmaps", config(a="1", b="2"))
    code, answer = await api.call("PUT", api.path("configmaps", "c"), config(a="3"))
    assert code == 200 and answer["data"] == {"a": "3"}


async def test_a_merge_patch_with_a_stale_resource_version_is_a_conflict(api: Api) -> None:
    made = await api.made("gadgets", gadget())
    await api.patch("gadgets", "g", {"spec": {"size": 2}})
    code, answer = await api.patch(
        "gadgets", "g", {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"size": 3}}
    )
    assert (code, answer["reason"]) == (409, "Conflict")


async def test_a_patch_that_changes_nothing_keeps_the_resource_version(api: Api) -> None:
    made = await api.made("gadgets", gadget())
    code, answer = await api.patch("gadgets", "g", {"spec": {"size": 1}})
    assert code == 200 and answer["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_null_in_a_merge_patch_removes(api: Api) -> None:
    await api.made("configmaps", config(a="1", b="2"))
    assert (await api.patch("configmaps", "c", {"data": {"a": None}}))[1]["data"] == {"b": "2"}


async def test_a_json_patch_tests_before_it_writes(api: Api) -> None:
    await api.made("configmaps", config(a="1"))
    good = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert (await api.patch("configmaps", "c", good, "json-patch+json"))[1]["data"] == {"a": "2"}
    assert (await api.patch("configmaps", "c", good, "json-patch+json"))[0] == 422


async def test_a_strategic_patch_merges_lists_by_their_key(api: Api) -> None:
    await api.made("pods", pod())
    body = {"spec": {"containers": [{"name": "main", "image": "busybox:stable"}]}}
    code, answer = await api.patch("pods", "p", body, "strategic-merge-patch+json")
    assert code == 200 and [item["image"] for item in answer["spec"]["containers"]] == ["busybox:stable"]


async def test_custom_resources_take_no_strategic_patch(api: Api) -> None:
    await api.made("gadgets", gadget())
    assert (await api.patch("gadgets", "g", {}, "strategic-merge-patch+json"))[0] == 415


async def test_server_side_apply_creates_and_updates(api: Api) -> None:
    body: dict[str, Any] = {"apiVersion": "conformance.tradewind.dev/v1", "kind": "Gadget", "spec": {"size": 2}}
    assert (await api.patch("gadgets", "g", body, "apply-patch+yaml", fieldManager="test"))[0] == 400, (
        "the name is needed"
    )
    body["metadata"] = {"name": "g"}
    code, made = await api.patch("gadgets", "g", body, "apply-patch+yaml", fieldManager="test")
    assert code == 201 and made["metadata"]["name"] == "g"
    body["spec"] = {"size": 3}
    code, made = await api.patch("gadgets", "g", body, "apply-patch+yaml", fieldManager="test")
    assert code == 200 and made["spec"]["size"] == 3


async def apply(api: Api, manager: str, spec: dict[str, Any], force: bool = False, **meta: Any) -> tuple[int, Any]:
    body = {
        "apiVersion": "conformance.tradewind.dev/v1",
        "kind": "Gadget",
        "metadata": {"name": "g", **meta},
        "spec": spec,
    }
    query = {"fieldManager": manager, **({"force": "true"} if force else {})}
    return await api.patch("gadgets", "g", body, "apply-patch+yaml", **query)


async def test_apply_removes_what_its_manager_leaves_out(api: Api) -> None:
    free = {"one": {"x": 1, "y": [1]}, "two": {"x": 2}}
    await apply(api, "a", {"size": 2, "high": 5, "free": free, "tags": ["m", "n"]}, labels={"k": "v", "l": "w"})
    code, made = await apply(api, "a", {"size": 2, "free": {"one": {"x": 1}}, "tags": ["n"]}, labels={"l": "w"})
    assert code == 200
    assert made["spec"] == {"size": 2, "colour": "red", "free": {"one": {"x": 1}}, "tags": ["n"]}
    assert made["metadata"]["labels"] == {"l": "w"}


async def test_apply_leaves_what_others_own(api: Api) -> None:
    await apply(api, "a", {"size": 2, "high": 5, "tags": ["m"]})
    await apply(api, "b", {"size": 2, "high": 5, "tags": ["n"]})
    await api.patch("gadgets", "g", {"metadata": {"annotations": {"by": "hand"}}})
    made = (await apply(api, "a", {"size": 2}))[1]
    assert made["spec"] == {"size": 2, "high": 5, "colour": "red", "tags": ["n"]}
    assert made["metadata"]["annotations"] == {"by": "hand"}
    assert "high" not in (await apply(api, "b", {"size": 2}))[1]["spec"]


async def test_apply_of_another_value_is_a_conflict_unless_forced(api: Api) -> None:
    await apply(api, "a", {"size": 2, "high": 5})
    assert (await apply(api, "b", {"size": 2, "high": 5}))[0] == 200, "the same value is no conflict"
    code, answer = await apply(api, "b", {"size": 2, "high": 6})
    assert code == 409 and answer["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "a"', "field": ".spec.high"}
    ]
    code, made = await apply(api, "b", {"size": 2, "high": 6}, force=True)
    assert code == 200 and made["spec"]["high"] == 6
    owners = {item["manager"]: item["fieldsV1"]["f:spec"] for item in made["metadata"]["managedFields"]}
    assert owners == {"a": {"f:size": {}}, "b": {"f:size": {}, "f:high": {}}}


async def test_what_is_patched_is_owned_by_who_patched_it(api: Api) -> None:
    await apply(api, "a", {"size": 2, "high": 5})
    await api.patch("gadgets", "g", {"spec": {"high": 7}}, fieldManager="hand")
    code, answer = await apply(api, "a", {"size": 2, "high": 5})
    assert code == 409 and 'conflict with "hand" using conformance.tradewind.dev/v1: .spec.high' in answer["message"]
    assert (await apply(api, "a", {"size": 2}))[1]["spec"]["high"] == 7


async def test_what_is_applied_again_is_not_written(api: Api) -> None:
    first = (await apply(api, "a", {"size": 2}))[1]
    again = (await apply(api, "a", {"size": 2}))[1]
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_patch_with_another_uid_is_a_conflict(api: Api) -> None:
    await api.made("configmaps", config())
    code, _ = await api.patch("configmaps", "c", {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert code in (409, 422)


async def test_dry_runs_leave_no_trace(api: Api) -> None:
    assert (await api.create("gadgets", gadget(), dryRun="All"))[0] == 201
    assert (await api.call("GET", api.path("gadgets", "g")))[0] == 404
    made = await api.made("gadgets", gadget())
    assert (await api.patch("gadgets", "g", {"spec": {"size": 5}}, dryRun="All"))[1]["spec"]["size"] == 5
    assert (await api.call("DELETE", api.path("gadgets", "g"), dryRun="All"))[0] == 200
    assert (await api.call("GET", api.path("gadgets", "g")))[1]["metadata"]["resourceVersion"] == made["metadata"][
        "resourceVersion"
    ]


async def test_deleting_with_another_uid_is_a_conflict(api: Api) -> None:
    made = await api.made("configmaps", config())
    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert (await api.call("DELETE", api.path("configmaps", "c"), wrong))[0] == 409
    assert (await api.call("DELETE", api.path("configmaps", "c"), {"preconditions": {"uid": made["metadata"]["uid"]}}))[
        0
    ] == 200


async def test_finalizers_hold_a_deleted_object(api: Api) -> None:
    body = config()
    body["metadata"]["finalizers"] = ["conformance.tradewind.dev/wait"]
    await api.made("configmaps", body)
    await api.call("DELETE", api.path("configmaps", "c"))
    code, held = await api.call("GET", api.path("configmaps", "c"))
    assert code == 200 and held["metadata"]["deletionTimestamp"]
    await api.patch("configmaps", "c", {"metadata": {"finalizers": None}})
    assert (await api.call("GET", api.path("configmaps", "c")))[0] == 404


async def test_a_collection_is_deleted_by_labels(api: Api) -> None:
    for name, team in (("a", "x"), ("b", "x"), ("c", "y")):
        await api.made("gadgets", gadget(name, {"team": team}))
    assert (await api.call("DELETE", api.path("gadgets"), labelSelector="team=x"))[0] == 200
    assert [item["metadata"]["name"] for item in (await api.call("GET", api.path("gadgets")))[1]["items"]] == ["c"]


async def gone(api: Api, plural: str, name: str) -> None:
    async with asyncio.timeout(100):
        while (await api.call("GET", api.path(plural, name)))[0] != 404:
            await asyncio.sleep(0.05)


async def test_what_an_owner_leaves_behind_is_collected(api: Api) -> None:
    owner = await api.made("configmaps", config("owner"))
    child = config("child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    child["metadata"]["ownerReferences"] = [reference]
    await api.made("configmaps", child)
    await api.call("DELETE", api.path("configmaps", "owner"), {"propagationPolicy": "Background"})
    await gone(api, "configmaps", "child")


async def test_what_has_an_owner_that_never_was_is_collected(api: Api) -> None:
    child = config("child")
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "ghost",
        "uid": "11111111-1111-1111-1111-111111111111",
    }
    child["metadata"]["ownerReferences"] = [reference]
    await api.made("configmaps", child)
    await gone(api, "configmaps", "child")


async def test_a_lease_is_updated_by_one_of_two(api: Api) -> None:
    lease = await api.made(
        "leases",
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "l"},
            "spec": {"holderIdentity": "a"},
        },
    )
    bids = [api.call("PUT", api.path("leases", "l"), {**lease, "spec": {"holderIdentity": who}}) for who in "bc"]
    assert sorted(code for code, _ in await asyncio.gather(*bids)) == [200, 409]


@pytest.mark.parametrize("times", [["2026-01-01T00:00:00.123456Z"]])
async def test_leases_keep_microseconds(api: Api, times: list[str]) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "m"},
        "spec": {"renewTime": times[0]},
    }
    assert (await api.made("leases", body))["spec"]["renewTime"] == times[0]


async def test_string_data_of_a_secret_is_encoded(api: Api) -> None:
    made = await api.made(
        "secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    )
    assert made["data"] == {"a": "Yg=="} and made["type"] == "Opaque" and "stringData" not in made
    code, made = await api.patch("secrets", "s", {"stringData": {"a": "c"}})
    assert code == 200 and made["data"] == {"a": "Yw=="} and "stringData" not in made


async def test_of_a_controller_revision_the_number_can_be_changed_and_the_content_can_not(api: Api) -> None:
    meta = {"name": "r", "labels": {"of": "r"}}
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": 1, "data": {"a": 1}}
    body = {**await api.made("controllerrevisions", body), "revision": 2}
    code, made = await api.call("PUT", api.path("controllerrevisions", "r"), body)
    assert code == 200 and made["revision"] == 2 and made["data"] == {"a": 1}
    code, answer = await api.call("PUT", api.path("controllerrevisions", "r"), {**made, "data": {"a": 2}})
    assert code == 422 and fields(answer) == {"data"}
