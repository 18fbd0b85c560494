"""In some namespaces the operator itself reads the Secrets of requests; in others requests with secrets are sent from
pods."""

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.egress.policy import EgressPolicy
from tradewind.plan.dags.compile import define

ASKING = {
    "http": {"url": "http://x", "headers": {"A": "$(A)"}},
    "envFrom": {"A": {"secretKeyRef": {"name": "s", "key": "k"}}},
}


@pytest.mark.parametrize(
    ("egress", "podless"),
    [
        (EgressPolicy(), False),
        (EgressPolicy(secrets=True), True),
        (EgressPolicy(within=frozenset({"ns"})), True),
        (EgressPolicy(within=frozenset({"other"})), False),
    ],
)
def test_a_request_with_a_secret_needs_a_pod_where_the_operator_may_not_read_it(
    egress: EgressPolicy, podless: bool
) -> None:
    meta = {
        "name": "r",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}}))
    planner = state.bind(define({"tasks": {"ask": ASKING}}), (), 0.0, 0.0, egress)
    assert ("ask" in planner.podless) is podless
