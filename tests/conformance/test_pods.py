"""Pods, as far as an API server alone handles them."""

import asyncio
from typing import Any

import pytest
from tradewind.model.duration import instant

from conformance.conftest import Api, pod


def fields(answer: Any) -> set[str]:
    return {cause["field"] for cause in answer["details"]["causes"]}


async def test_defaults(api: Api) -> None:
    made = await api.made("pods", pod())
    spec, main = made["spec"], made["spec"]["containers"][0]
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["terminationGracePeriodSeconds"]) == (
        "Always",
        "ClusterFirst",
        30,
    )
    assert (spec["serviceAccountName"], spec["schedulerName"]) == ("default", "default-scheduler")
    assert (main["terminationMessagePath"], main["terminationMessagePolicy"]) == ("/dev/termination-log", "File")
    assert main["imagePullPolicy"] == "IfNotPresent" and made["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        ({"containers": [{"image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "A_B", "image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]}, "spec.containers[1].name"),
        (
            {"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            "spec.containers[0].volumeMounts[0].name",
        ),
        ({"containers": [{"name": "a", "image": "x", "env": [{"value": "1"}]}]}, "spec.containers[0].env[0].name"),
        *(
            (
                {
                    "containers": [
                        {
                            "name": "a",
                            "image": "x",
                            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": sub_path}],
                        }
                    ],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                },
                "spec.containers[0].volumeMounts.subPath",
            )
            for sub_path in ("../x", "a/../../x", "/x")
        ),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
    ],
)
async def test_each_mistake_names_its_field(api: Api, spec: dict[str, Any], field: str) -> None:
    code, answer = await api.create("pods", pod(**spec))
    assert (code, answer["reason"]) == (422, "Invalid") and field in fields(answer)


async def test_unknown_fields_are_refused_in_strict_mode(api: Api) -> None:
    code, answer = await api.create("pods", pod(nope=1), fieldValidation="Strict")
    assert (
        code == 400
        and 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.nope"'
        in answer["message"]
    )


async def test_most_of_a_pods_spec_is_fixed(api: Api) -> None:
    await api.made("pods", pod())
    code, answer = await api.patch("pods", "p", {"spec": {"restartPolicy": "Never"}})
    assert code == 422 and fields(answer) == {"spec"}


async def test_the_status_is_written_by_its_subresource_only(api: Api) -> None:
    await api.made("pods", pod())
    assert (await api.patch("pods", "p", {"status": {"phase": "Failed"}}))[1]["status"]["phase"] == "Pending"
    assert (await api.patch("pods", "p", {"status": {"phase": "Failed"}}, sub="status"))[1]["status"][
        "phase"
    ] == "Failed"


async def test_a_pod_without_a_node_goes_at_once(api: Api) -> None:
    await api.made("pods", pod())
    assert (await api.call("DELETE", api.path("pods", "p")))[0] == 200
    assert (await api.call("GET", api.path("pods", "p")))[0] == 404


async def test_a_pod_on_a_node_gets_its_grace_period_and_none_when_forced(api: Api) -> None:
    await api.made("pods", pod(schedulerName="nobody"))
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"kind": "Node", "name": "no-such-node"},
    }
    assert (await api.call("POST", api.path("pods", "p", "binding"), binding))[0] == 201
    assert (await api.call("POST", api.path("pods", "p", "binding"), binding))[0] == 409
    _, bound = await api.call("GET", api.path("pods", "p"))
    assert bound["spec"]["nodeName"] == "no-such-node"
    await api.call("DELETE", api.path("pods", "p"))
    code, ending = await api.call("GET", api.path("pods", "p"))
    assert (
        code == 200
        and ending["metadata"]["deletionTimestamp"]
        and ending["metadata"]["deletionGracePeriodSeconds"] == 30
    )
    begun, due = (instant(ending["metadata"][name]) for name in ("creationTimestamp", "deletionTimestamp"))
    assert due - begun >= 30, "the moment by which it has to have ended"
    await api.call("DELETE", api.path("pods", "p"), gracePeriodSeconds="0")
    assert (await api.call("GET", api.path("pods", "p")))[0] == 404


async def test_a_quota_refuses_with_what_is_used_and_what_is_allowed(api: Api) -> None:
    hard = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": {"count/pods": "0"}},
    }
    await api.made("resourcequotas", hard)
    code, answer = 0, {}
    async with asyncio.timeout(100):
        # A real server's quota counts once its controller has seen it.
        while code != 403:
            code, answer = await api.create("pods", pod(), dryRun="All")
    assert answer["reason"] == "Forbidden"
    assert "exceeded quota: q, requested: count/pods=1, used: count/pods=0, limited: count/pods=0" in answer["message"]


async def test_a_namespace_that_is_being_deleted_takes_nothing_new(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{api.namespace}-end"}}
    await api.call("POST", "/api/v1/namespaces", body)
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "hold", "finalizers": ["conformance.tradewind.dev/wait"]},
    }
    await api.call("POST", f"/api/v1/namespaces/{api.namespace}-end/configmaps", held)
    await api.call("DELETE", f"/api/v1/namespaces/{api.namespace}-end")
    code, answer = await api.call("POST", f"/api/v1/namespaces/{api.namespace}-end/pods", pod())
    assert code == 403 and "being terminated" in answer["message"]
    await api.call(
        "PATCH",
        f"/api/v1/namespaces/{api.namespace}-end/configmaps/hold",
        {"metadata": {"finalizers": None}},
        "application/merge-patch+json",
    )
