"""AdmissionReviews of any shape: the answer is well-formed, or 400; never an internal error, which would let an
unchecked object pass."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.garbage import JSON, MAPS, NEST, nearly, tries
from fuzz.targets import admission

KINDS = ["DAG", "DAGRun", "Trigger", "Backfill", "Pool", "ClusterPool", "Approval"]


def review(kind: Any, new: Any, old: Any, operation: Any = "UPDATE", more: Any = None) -> bytes:
    request = {
        "uid": "u", "kind": {"group": "tradewind.dev", "version": "v1alpha1", "kind": kind}, "operation": operation,
        "namespace": "default", "name": "n", "userInfo": {"username": "ada"}, "object": new, "oldObject": old, **(more or {}),
    }  # fmt: skip
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


@tries(400)
@given(st.binary(max_size=200) | NEST | JSON.map(orjson.dumps))
def test_any_bytes_are_answered(data: bytes) -> None:
    admission(data)


@tries(120)
@given(st.sampled_from(KINDS) | JSON, JSON | MAPS, JSON | MAPS, st.sampled_from(["CREATE", "UPDATE"]) | JSON, MAPS)
def test_requests_of_any_shape_are_answered(kind: Any, new: Any, old: Any, operation: Any, more: Any) -> None:
    admission(review(kind, new, old, operation, more))
    admission(review(kind, {"metadata": new, "spec": old}, {"metadata": old, "spec": new}, more={"userInfo": more}))


@pytest.mark.parametrize("kind", KINDS)
@tries(60)
@given(data=st.data())
def test_specs_that_are_nearly_right_are_judged(kind: str, data: st.DataObject) -> None:
    spec = data.draw(nearly(kind, "spec"))
    old = data.draw(st.none() | (nearly(kind, "spec") | JSON).map(lambda value: {"spec": value}))
    admission(review(kind, {"metadata": {"name": "n"}, "spec": spec}, old))
