"""Objects of the cluster, as expressions of triggers and sensors see them."""

import json
from typing import Any

from tradewind.plan.triggers.object_change import LAST_APPLIED, Change, public, values

META = {
    "name": "x",
    "namespace": "ns",
    "labels": {"app": "shop"},
    "resourceVersion": "7",
    "uid": "u",
    "annotations": {LAST_APPLIED: '{"data": "aHVudGVyMg=="}', "note": "aHVudGVyMg=="},
    "ownerReferences": [{"name": "hunter2"}],
}
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "Opaque",
    "immutable": True,
    "metadata": META,
    "data": {"password": "aHVudGVyMg=="},
    "stringData": {"password": "hunter2"},
}


def test_of_a_secret_there_is_what_names_and_describes_it() -> None:
    for shown in values(Change("Updated", "x", SECRET, SECRET)).values():
        assert "hunter2" not in json.dumps(shown) and "aHVudGVyMg==" not in json.dumps(shown)
    assert public(SECRET) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {name: META[name] for name in ("name", "namespace", "labels", "resourceVersion")},
    }


def test_what_was_applied_is_shown_of_no_object() -> None:
    shown = public({**SECRET, "kind": "ConfigMap"})
    assert shown["metadata"] == {**META, "annotations": {"note": "aHVudGVyMg=="}} and shown["data"] == SECRET["data"]


def test_of_one_that_is_gone_the_name_is_shown() -> None:
    assert public({"metadata": {"name": "x", "uidDigest": "d"}}) == {"metadata": {"name": "x"}}
    assert public({}) == {} and public({"metadata": None}) == {"metadata": None}
