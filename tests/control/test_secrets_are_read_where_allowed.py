"""In which namespaces the operator itself reads the Secrets of requests; in others requests with secrets are sent from pods."""

import pytest
from tradewind.control.light import Light
from tradewind.control.run import read_run
from tradewind.control.view import View
from tradewind.plan.define import define

ASKING = {
    "http": {"url": "http://x", "headers": {"A": "$(A)"}},
    "envFrom": {"A": {"secretKeyRef": {"name": "s", "key": "k"}}},
}


@pytest.mark.parametrize(
    ("light", "podless"),
    [
        (Light(), False),
        (Light(secrets=True), True),
        (Light(within=frozenset({"ns"})), True),
        (Light(within=frozenset({"other"})), False),
    ],
)
def test_a_request_with_a_secret_needs_a_pod_where_the_operator_may_not_read_it(light: Light, podless: bool) -> None:
    meta = {
        "name": "r",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    view = View(read_run({"metadata": meta, "spec": {"dag": "d"}}))
    board = view.bind(define({"tasks": {"ask": ASKING}}), (), 0.0, 0.0, light)
    assert ("ask" in board.podless) is podless
