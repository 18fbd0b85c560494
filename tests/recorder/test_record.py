"""What is kept of a run, and of one that a tenant or a fault has spoiled."""

import base64
import gzip

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.recorder.record import EDITS, TEXT, Unreadable, has_ended, identity, record_of, unpacked

from recorder.bodies import body, raw


def test_columns_and_the_whole_object_are_kept() -> None:
    found = record_of(raw(spec={"logicalDate": "2026-05-01T08:00:00+02:00"}))
    assert (found.namespace, found.name, found.dag, found.phase) == ("shop", "etl-1", "etl", "Succeeded")
    assert (found.how, found.maker, found.revision_number) == ("schedule", "nightly", 3)
    assert found.finished and found.started and found.finished - found.started == 59_000
    assert found.logical == found.created == 1_777_615_200_000
    again = unpacked(found.detail)
    assert again["kind"] == "DAGRun" and again["spec"]["params"] == {"n": 1} and again["status"]["attempts"] == "a 0+1"


def test_managed_fields_and_what_kubectl_applied_last_are_not_kept() -> None:
    more = {
        "managedFields": [{"manager": "x" * 100}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "y" * 100, "note": "kept"},
    }
    meta = unpacked(record_of(raw(metadata=more)).detail)["metadata"]
    assert meta["annotations"] == {"note": "kept"} and "managedFields" not in meta


def test_a_run_deleted_before_its_end_is_kept_as_it_was_last_seen() -> None:
    found = record_of(raw(phase="Running"), deleted=77)
    assert (found.phase, found.finished, found.deleted) == ("Running", None, 77)


@pytest.mark.parametrize("status", [None, {}, {"phase": ""}], ids=["no status", "an empty status", "an empty phase"])
def test_a_run_that_nobody_has_seen_is_queued(status: object) -> None:
    found = record_of(orjson.dumps({**body(), "status": status}), deleted=1)
    assert (found.phase, found.tasks) == ("Queued", [])


@pytest.mark.parametrize(
    "spoiled",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        raw(metadata={"resourceVersion": "x"}),
        raw(metadata={"resourceVersion": str(2**64)}),
        raw(metadata={"creationTimestamp": "yesterday"}),
        raw(metadata={"uid": 5}),
        raw(spec={"dag": ["etl"]}),
        raw(status={"attempts": "a b c"}),
        raw(status={"archive": "!"}),
        raw(status={"nodes": 1}),
        b"[" * 100_000,
        b'{"metadata":' * 50_000,
    ],
)
def test_what_can_t_be_read_is_named_as_such(spoiled: bytes) -> None:
    with pytest.raises(Unreadable):
        record_of(spoiled)
    identity(spoiled)


def test_an_unreadable_run_is_one_to_write() -> None:
    assert has_ended(b"{") and has_ended(raw()) and not has_ended(raw(phase="Running"))


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b"a 0+1\n" * 6_000_000)).decode()
    with pytest.raises(Unreadable, match="unpacks to too much"):
        record_of(raw(status={"archive": bomb}))


def test_texts_are_cut_and_have_no_characters_that_databases_refuse() -> None:
    found = record_of(raw(status={"message": "a\0" + "é" * 9_000}, metadata={"labels": {}}))
    assert found.message.startswith("a\ufffdé") and len(found.message) == TEXT


def test_edits_are_bounded() -> None:
    edit = {"action": "Clear", "tasks": ["a"] * 3_000, "by": "eve", "reason": "r"}
    found = record_of(raw(spec={"edits": [edit] * 300}))
    assert len(found.edits) == EDITS and len(found.edits[0].tasks) == TEXT and found.edits[0].author == "eve"


@settings(deadline=None, max_examples=300)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            "status",
            "spec",
            "metadata",
            "status.phase",
            "status.total",
            "spec.edits",
            "metadata.labels",
            "metadata.ownerReferences",
        ]
    ),
)
def test_whatever_stands_somewhere_is_kept_or_unreadable(value: object, where: str) -> None:
    run = body()
    path = where.split(".")
    place = run
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    try:
        written = orjson.dumps(run)
    except TypeError:  # an integer that no JSON of an API server has
        return
    try:
        found = record_of(written)
    except Unreadable:
        return
    assert len(found.message) <= TEXT and unpacked(found.detail)["kind"] == "DAGRun"
