"""The pod of an attempt."""

import json
from typing import Any

import pytest
from tradewind.control.pods import builder
from tradewind.control.pods.builder import build
from tradewind.control.pods.names import both_names, pod_name
from tradewind.control.pods.rendering import Unrenderable
from tradewind.model.pool import PoolClaim
from tradewind.plan.dags.compile import define
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.runs.decision import RunFacts, Start

RUN = RunFacts("r1", "ns", "uid-1", "dag-1", {"region": "no$(X)rth", "token": {"name": "s", "key": "k"}, "n": 3})
START = Start("a", None, 2, "")


def made(task: dict[str, Any], start: Start = START, item: Any = None, **spec: Any) -> dict[str, Any]:
    params = {"region": {}, "token": {"type": "secret"}, "n": {"type": "integer"}}
    definition = define(
        {"params": params, "tasks": {"erp": {"image": "x"}, "a": {"dependsOn": ["erp"], **task}}, **spec}
    )
    values = {**RUN.values(), "run.attempt": start.number, "item": item, "index": start.index}
    outputs = {"tasks.erp.outputs": {"rows": 5}, "tasks.erp.state": "Succeeded"}
    body = build(
        pod_name(RUN.name, start.task, start.number, start.index),
        start,
        definition.tasks["a"],
        RUN,
        lambda text: evaluate(text, definition.scope("a"), values, lambda _: outputs),
        "operator:1",
        definition.secrets,
    )
    found: dict[str, Any] = json.loads(body)
    return found


def env(body: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in body["spec"]["containers"][0]["env"]}


def test_a_plain_task_is_one_container_with_nothing_injected() -> None:
    body = made({"image": "busybox", "command": ["true"]})
    assert body["metadata"]["name"] == "r1-a-2"
    assert (
        len(body["spec"]["containers"]) == 1 and "initContainers" not in body["spec"] and "volumes" not in body["spec"]
    )
    assert env(body).keys() == {
        "TRADEWIND_NAMESPACE", "TRADEWIND_DAG", "TRADEWIND_RUN", "TRADEWIND_TASK", "TRADEWIND_ATTEMPT", "TRADEWIND_OUTPUTS",
    }  # fmt: skip
    assert env(body)["TRADEWIND_OUTPUTS"] == "/dev/termination-log"
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
    # Kubernetes halves every `$$`, so the shell sees the script as written.
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


def test_containers_that_a_template_adds_run_in_its_order_before_the_task_and_beside_it() -> None:
    first, second = {"name": "unpack", "image": "a"}, {"name": "proxy", "image": "b", "restartPolicy": "Always"}
    spec = made({"image": "x", "podTemplate": {"spec": {"initContainers": [first, second]}}})["spec"]
    assert [item["name"] for item in spec["initContainers"]] == ["unpack", "proxy"]
    assert spec["initContainers"][1]["restartPolicy"] == "Always" and [item["name"] for item in spec["containers"]] == [
        "main"
    ]


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


def test_items_have_pods_of_their_own_with_their_index_and_name() -> None:
    task = {"image": "x", "env": {"I": "$[[ item.id ]]"}, "forEach": {"items": [1], "name": "n-$[[ item.id ]]"}}
    body = made(task, Start("a", 7, 1, ""), {"id": 42})
    assert body["metadata"]["name"] == "r1-a-7-1" and body["metadata"]["labels"]["tradewind.dev/item"] == "7"
    assert body["metadata"]["annotations"] == {"tradewind.dev/item-name": "n-42"} and env(body)["I"] == "42"


def test_a_name_that_another_pod_has_gives_way_to_one_made_of_the_runs_uid() -> None:
    other = both_names(RUN, Start("a-3", None, 1, ""))[1]
    assert other != pod_name("r1", "a-3", 1) and other.startswith("r1-a-3-1-") and other.endswith("-1")
    assert other != both_names(RUN, Start("a", 3, 1, ""))[1]


def test_a_secret_param_is_a_reference_and_never_a_value() -> None:
    body = made({"image": "x", "env": {"TOKEN": "$[[ params.token ]]"}})
    assert env(body)["TOKEN"] == {"secretKeyRef": {"name": "s", "key": "k"}}


def test_expressions_in_templates_keep_their_types() -> None:
    template = {"spec": {"priority": "$[[ params.n ]]", "hostname": "h-$[[ params.n ]]"}}
    task = {"image": "img:$[[ params.n ]]", "podTemplate": template, "nodeSelector": {"n": "x$[[ params.n ]]"}}
    spec = made({**task, "resources": {"limits": {"memory": "$[[ params.n ]]Gi"}}})["spec"]
    assert (spec["priority"], spec["hostname"], spec["nodeSelector"]) == (3, "h-3", {"n": "x3"})
    assert spec["containers"][0]["image"] == "img:3"
    assert spec["containers"][0]["resources"] == {"limits": {"memory": "3Gi"}}


@pytest.mark.parametrize(
    ("ooms", "limit", "request_"), [(0, "64Mi", "32Mi"), (1, "128Mi", "64Mi"), (2, "200Mi", "128Mi")]
)
def test_memory_is_raised_after_each_attempt_that_ran_out_of_it(ooms: int, limit: str, request_: str) -> None:
    resources = {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}
    retries = {"limit": 3, "onOOM": {"memoryFactor": 2, "max": "200Mi"}}
    body = made({"image": "x", "resources": resources, "retries": retries}, Start("a", None, 1, "", ooms=ooms))
    found = body["spec"]["containers"][0]["resources"]
    assert found == {"limits": {"memory": limit}, "requests": {"memory": request_}}


def test_the_last_attempt_stays_off_spot_nodes_in_every_alternative_of_its_affinity() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in "ab"]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    task = {"image": "x", "podTemplate": {"spec": {"affinity": {"nodeAffinity": required}}}}
    plain, careful = made(task), made(task, Start("a", None, 2, "", avoid_spot=True))
    assert plain["spec"]["affinity"]["nodeAffinity"] == required
    found = careful["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    for term in found["nodeSelectorTerms"]:
        keys = [rule["key"] for rule in term["matchExpressions"]]
        assert keys[0] == "zone" and "karpenter.sh/capacity-type" in keys


def test_pods_say_which_slots_they_hold_and_how_long_they_may_take_to_end() -> None:
    claims = (PoolClaim(name="db", slots=2), PoolClaim(name="lic", kind="ClusterPool"))
    body = made({"image": "x", "gracePeriod": "2m"}, Start("a", None, 1, "", pools=claims))
    labels = body["metadata"]["labels"]
    assert labels["pool.tradewind.dev/db"] == "2" and labels["clusterpool.tradewind.dev/lic"] == "1"
    assert body["spec"]["terminationGracePeriodSeconds"] == 120


def test_uids_are_left_to_a_cluster_that_gives_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = made({"image": "busybox"})["spec"]["securityContext"]
    monkeypatch.setattr(builder, "USER", 0)
    assert made({"image": "busybox"})["spec"]["securityContext"] == {
        name: usual[name] for name in ("runAsNonRoot", "seccompProfile")
    }


def test_variables_come_after_those_that_they_refer_to() -> None:
    """In a stored manifest the keys of a map are sorted."""
    variables = {
        "ADDR": "http://$(HOST):$(PORT)/",
        "HOST": "$(NAME).$(ZONE)",
        "PORT": "1",
        "NAME": "db",
        "ZONE": "$$(ADDR)",
    }
    for order in (variables, dict(sorted(variables.items())), dict(reversed(variables.items()))):
        found = env(made({"image": "x", "command": ["x"], "env": order}))
        assert [name for name in found if name in variables] == ["NAME", "ZONE", "HOST", "PORT", "ADDR"]
    circle = {"B": "$(A)", "A": "$(B)", "C": "$(C)"}
    assert [name for name in env(made({"image": "x", "command": ["x"], "env": circle})) if name in circle] == [
        "B",
        "A",
        "C",
    ]


@pytest.mark.parametrize("field", [{"env": {"X": "$[[ 'a\\u0000b' ]]"}}, {"args": ["$[[ 'a\\u0000b' ]]"]}])
def test_a_text_that_the_system_would_cut_off_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(Unrenderable, match=r"spec\.tasks\.a\..*: contains the character U\+0000"):
        made({"image": "x", "command": ["x"], **field})


def test_labels_and_annotations_of_the_operator_are_not_taken_from_a_template() -> None:
    given = {"clusterpool.tradewind.dev/gpus": "1000000", "tradewind.dev/run-uid": "x", "team": "a"}
    template = {"metadata": {"labels": given, "annotations": {"tradewind.dev/item-name": "x", "note": "b"}}}
    metadata = made({"image": "x", "podTemplate": template})["metadata"]
    assert "clusterpool.tradewind.dev/gpus" not in metadata["labels"] and metadata["labels"]["team"] == "a"
    assert metadata["labels"]["tradewind.dev/run-uid"] == "uid-1" and metadata["annotations"] == {"note": "b"}
