"""The pod of an attempt."""

import json
from typing import Any

import pytest
from tradewind.control.podbuild import RunFacts, Unrenderable, build, pod_name
from tradewind.plan.definition import define

RUN = RunFacts("r1", "ns", "uid-1", "dag-1", {"region": "no$(X)rth"}, {"erp": {"rows": 5}})


def made(task: dict[str, Any], **spec: Any) -> dict[str, Any]:
    definition = define(
        {"params": {"region": {}}, "tasks": {"erp": {"image": "x"}, "a": {"dependsOn": ["erp"], **task}}, **spec}
    )
    body: dict[str, Any] = json.loads(build("a", definition.tasks["a"], 2, RUN, definition.scope("a"), "operator:1"))
    return body


def env(body: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in body["spec"]["containers"][0]["env"]}


def test_a_plain_task_is_one_container_with_nothing_injected() -> None:
    body = made({"image": "busybox", "command": ["true"]})
    assert body["metadata"]["name"] == "r1-a-2"
    assert (
        len(body["spec"]["containers"]) == 1 and "initContainers" not in body["spec"] and "volumes" not in body["spec"]
    )
    assert env(body) == {"TRADEWIND_OUTPUTS": "/dev/termination-log"}
    assert body["spec"]["restartPolicy"] == "Never" and body["spec"]["automountServiceAccountToken"] is False


def test_pods_are_restricted_by_default() -> None:
    spec = made({"image": "busybox"})["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {
        "type": "RuntimeDefault"
    }
    main = spec["containers"][0]["securityContext"]
    assert main == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_run_owns_the_pod_and_labels_find_it() -> None:
    meta = made({"image": "x"})["metadata"]
    assert meta["ownerReferences"][0] == {
        "apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "name": "r1", "uid": "uid-1", "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    assert meta["labels"]["tradewind.dev/run-uid"] == "uid-1" and meta["labels"]["tradewind.dev/attempt"] == "2"


def test_the_short_form_reaches_the_pod() -> None:
    body = made(
        {
            "image": "x",
            "env": {"ROWS": "$[[ tasks.erp.outputs.rows ]]"},
            "envFrom": {
                "PW": {"secretKeyRef": {"name": "db", "key": "pw"}},
                "C": {"configMapKeyRef": {"name": "c", "key": "k"}},
            },
            "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
            "serviceAccountName": "sa",
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "timeout": "90s",
        }
    )
    variables, spec = env(body), body["spec"]
    assert variables["ROWS"] == "5" and variables["PW"] == {
        "secretKeyRef": {"name": "db", "key": "pw", "optional": False}
    }
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("sa", True)
    assert (spec["nodeSelector"], spec["activeDeadlineSeconds"]) == ({"disk": "ssd"}, 90)
    assert spec["tolerations"] == [{"key": "k", "operator": "Exists"}]


def test_scripts_are_never_interpolated() -> None:
    body = made(
        {"image": "x", "script": {"shell": "echo $HOME $(date) $$ '$[[ params.region ]]' $(TRADEWIND_OUTPUTS)"}}
    )
    # Kubernetes halves every `$$`, so the shell sees the script as it was written.
    assert body["spec"]["containers"][0]["command"] == [
        "/bin/sh", "-ec", "echo $$HOME $$(date) $$$$ '$$[[ params.region ]]' $$(TRADEWIND_OUTPUTS)",
    ]  # fmt: skip


def test_values_of_expressions_are_literal_while_the_users_own_references_work() -> None:
    body = made(
        {
            "image": "x",
            "env": {"A": "$(HOME)/$[[ params.region ]]", "B": "$[[ params.region ]]"},
            "args": ["$(B)", "$[[params.region]]"],
        }
    )
    assert env(body)["A"] == "$(HOME)/no$$(X)rth" and env(body)["B"] == "no$$(X)rth"
    assert body["spec"]["containers"][0]["args"] == ["$(B)", "no$$(X)rth"]


def test_an_http_task_runs_in_the_operators_image_whatever_the_defaults_say() -> None:
    body = made(
        {"http": {"url": "http://x/$[[ params.region ]]", "headers": {"Authorization": "Bearer $(TOKEN)"}}},
        defaults={"image": "other"},
    )
    main = body["spec"]["containers"][0]
    assert main["image"] == "operator:1" and main["command"] == ["python3", "-m", "tradewind.tasks.http"]
    request = json.loads(env(body)["TRADEWIND_HTTP"].replace("$$", "$"))
    assert request["url"] == "http://x/no$(X)rth" and request["headers"] == {"Authorization": "Bearer $(TOKEN)"}


def test_the_pod_template_is_merged_over_the_short_form() -> None:
    template = {
        "metadata": {"annotations": {"a": "b"}, "labels": {"team": "x", "tradewind.dev/run-uid": "forged"}},
        "spec": {
            "restartPolicy": "Always",
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [
                {
                    "name": "main",
                    "env": [{"name": "A", "value": "over"}, {"name": "Z", "value": "z"}],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                },
                {"name": "side", "image": "s"},
            ],
            "securityContext": {"runAsUser": 0, "runAsNonRoot": None},
        },
    }
    body = made({"image": "x", "env": {"A": "1", "B": "2"}, "podTemplate": template})
    main, side = body["spec"]["containers"]
    assert env(body)["A"] == "over" and env(body)["B"] == "2" and env(body)["Z"] == "z"
    assert main["image"] == "x" and main["volumeMounts"] and side["name"] == "side"
    assert body["spec"]["restartPolicy"] == "Never", "a task's pod ends with it"
    assert body["metadata"]["labels"]["team"] == "x" and body["metadata"]["labels"]["tradewind.dev/run-uid"] == "uid-1"
    assert body["spec"]["securityContext"]["runAsUser"] == 0 and "runAsNonRoot" not in body["spec"]["securityContext"]


def test_a_value_that_can_not_be_computed_names_its_field() -> None:
    with pytest.raises(
        Unrenderable,
        match=r"spec.tasks.a.env.A: `tasks.erp.outputs.nope`: there is no key 'nope'; tasks.erp.outputs has rows",
    ):
        made({"image": "x", "env": {"A": "$[[ tasks.erp.outputs.nope ]]"}})


def test_pod_names_are_readable_until_they_are_too_long() -> None:
    assert pod_name("run", "task", 3) == "run-task-3"
    long = pod_name("r" * 60, "t" * 60, 12)
    assert len(long) == 63 and long.endswith("-12") and long != pod_name("r" * 60, "t" * 59 + "u", 12)
