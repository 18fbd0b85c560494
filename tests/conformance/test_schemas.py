"""Custom resources: defaults, unknown fields, bounds, rules, status."""

from typing import Any

import pytest

from conformance.conftest import Api, gadget


def fields(answer: Any) -> set[str]:
    return {cause["field"] for cause in answer["details"]["causes"]}


async def test_defaults_are_filled_in(api: Api) -> None:
    assert (await api.made("gadgets", gadget()))["spec"]["colour"] == "red"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": 11}, "spec.size"),
        ({"size": "big"}, "spec.size"),
        ({"colour": "green"}, "spec.colour"),
        ({"code": "ABC"}, "spec.code"),
        ({"code": "toolong"}, "spec.code"),
        ({"tags": ["a", "b", "c", "d"]}, "spec.tags"),
        ({"tags": ["a", "a"]}, "spec.tags[1]"),
        ({"high": 0}, "spec"),
        ({"amount": True}, "spec.amount"),
        ({"free": "text"}, "spec.free"),
    ],
)
async def test_each_violation_names_its_field(api: Api, spec: dict[str, Any], field: str) -> None:
    code, answer = await api.create("gadgets", gadget(**spec))
    assert (code, answer["reason"]) == (422, "Invalid") and field in fields(answer)


async def test_a_required_field_is_missed(api: Api) -> None:
    body = gadget()
    body["spec"] = {}
    code, answer = await api.create("gadgets", body)
    assert code == 422 and "spec.size" in fields(answer) and "Required value" in answer["message"]


async def test_a_rule_speaks_with_its_message(api: Api) -> None:
    assert "size is over high" in (await api.create("gadgets", gadget(size=5, high=2)))[1]["message"]


async def test_a_transition_rule_judges_changes_only(api: Api) -> None:
    await api.made("gadgets", gadget(colour="blue"))
    assert (await api.patch("gadgets", "g", {"spec": {"size": 4}}))[0] == 200
    code, answer = await api.patch("gadgets", "g", {"spec": {"colour": "red"}})
    assert code == 422 and "colour is fixed" in answer["message"]


async def test_unknown_fields_are_refused_in_strict_mode(api: Api) -> None:
    code, answer = await api.create("gadgets", gadget(shape="round"), fieldValidation="Strict")
    assert (code, answer["reason"]) == (
        400,
        "BadRequest",
    ) and 'strict decoding error: unknown field "spec.shape"' in answer["message"]


async def test_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    code, answer = await api.create("gadgets", gadget(shape="round"), fieldValidation="Warn")
    assert code == 201 and "shape" not in answer["spec"]
    assert any("unknown field" in warning and "spec.shape" in warning for warning in api.warnings)


async def test_unknown_fields_are_dropped_in_silence_when_asked(api: Api) -> None:
    code, answer = await api.create("gadgets", gadget(shape="round"), fieldValidation="Ignore")
    assert code == 201 and "shape" not in answer["spec"] and not api.warnings


async def test_free_form_fields_keep_everything(api: Api) -> None:
    free = {"a": [1, {"b": None}], "c": "d"}
    assert (await api.made("gadgets", gadget(free=free)))["spec"]["free"]["c"] == "d"


@pytest.mark.parametrize("value", ["x", 1, {"a": [{"b": 1}]}, [{"region": "north"}, [{"deep": [{"er": True}]}]]])
async def test_untyped_fields_keep_whatever_is_in_them_also_in_lists(api: Api, value: Any) -> None:
    made = await api.made("gadgets", gadget(anything=value))
    assert made["spec"]["anything"] == value and not api.warnings


async def test_int_or_string_takes_both(api: Api) -> None:
    assert (await api.made("gadgets", gadget("a", amount=5)))["spec"]["amount"] == 5
    assert (await api.made("gadgets", gadget("b", amount="5Gi")))["spec"]["amount"] == "5Gi"


async def test_a_status_is_not_taken_on_create(api: Api) -> None:
    assert "status" not in await api.made("gadgets", {**gadget(), "status": {"phase": "Done"}})


async def test_a_write_to_the_object_leaves_the_status(api: Api) -> None:
    await api.made("gadgets", gadget())
    await api.patch("gadgets", "g", {"status": {"phase": "Done"}}, sub="status")
    _, answer = await api.patch("gadgets", "g", {"spec": {"size": 2}, "status": {"phase": "Forged"}})
    assert answer["status"] == {"phase": "Done"} and answer["spec"]["size"] == 2


async def test_a_write_to_the_status_leaves_the_spec_and_the_generation(api: Api) -> None:
    await api.made("gadgets", gadget())
    _, answer = await api.patch("gadgets", "g", {"spec": {"size": 9}, "status": {"phase": "Done"}}, sub="status")
    assert (
        answer["spec"]["size"] == 1 and answer["status"] == {"phase": "Done"} and answer["metadata"]["generation"] == 1
    )


async def test_a_put_of_the_status_needs_no_spec_and_replaces_the_whole_status(api: Api) -> None:
    made = await api.made("gadgets", gadget(size=2))
    _, known = await api.patch("gadgets", "g", {"status": {"phase": "On"}}, sub="status")

    async def put(**meta: str) -> tuple[int, Any]:
        body = {"apiVersion": made["apiVersion"], "kind": made["kind"], "metadata": {"name": "g", **meta}}
        return await api.call("PUT", api.path("gadgets", "g", "status"), {**body, "status": {"phase": "Off"}})

    code, answer = await put()
    assert code == 422 and {cause["field"] for cause in answer["details"]["causes"]} == {"metadata.resourceVersion"}
    for old in ({"resourceVersion": made["metadata"]["resourceVersion"]}, {"uid": "u", "resourceVersion": known["metadata"]["resourceVersion"]}):  # fmt: skip
        code, answer = await put(**old)
        assert (code, answer["reason"]) == (409, "Conflict")
    code, answer = await put(resourceVersion=known["metadata"]["resourceVersion"])
    assert code == 200 and answer["spec"] == made["spec"] and answer["status"] == {"phase": "Off"}


async def test_the_generation_counts_changes_of_the_spec(api: Api) -> None:
    await api.made("gadgets", gadget())
    assert (await api.patch("gadgets", "g", {"metadata": {"labels": {"a": "b"}}}))[1]["metadata"]["generation"] == 1
    assert (await api.patch("gadgets", "g", {"spec": {"size": 2}}))[1]["metadata"]["generation"] == 2


async def test_the_generation_counts_the_beginning_of_a_deletion(api: Api) -> None:
    await api.made("gadgets", gadget())
    await api.patch("gadgets", "g", {"metadata": {"finalizers": ["conformance.tradewind.dev/hold"]}})
    for _ in range(2):
        await api.call("DELETE", api.path("gadgets", "g"))
    code, found = await api.patch("gadgets", "g", {"metadata": {"labels": {"a": "b"}}})
    assert (code, found["metadata"]["generation"]) == (200, 2) and found["metadata"]["deletionTimestamp"]
    await api.patch("gadgets", "g", {"metadata": {"finalizers": None}})


async def test_tables_have_the_printer_columns(api: Api) -> None:
    await api.made("gadgets", gadget(size=7))
    _, table = await api.call("GET", api.path("gadgets"), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table["kind"] == "Table" and [column["name"] for column in table["columnDefinitions"]][:3] == [
        "Name",
        "Size",
        "Phase",
    ]
    assert table["rows"][0]["cells"][:2] == ["g", 7]
