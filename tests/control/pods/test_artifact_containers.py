"""The containers that a pod has for artifacts, and the meaning of their ends."""

import json
from typing import Any

import pytest
from tradewind.control.pods.artifact_containers import NoArtifact
from tradewind.control.pods.builder import build
from tradewind.control.pods.observation import Alive, Ended, observe
from tradewind.control.pods.rendering import Unrenderable
from tradewind.plan.dags.compile import define
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.runs.decision import RunFacts, Start

from control.pod_bodies import pod, terminated
from control.pods.test_builder import env

S3 = {"s3": {"endpoint": "https://s3.example.com", "bucket": "b", "prefix": "p", "secretName": "keys"}}
CLAIM = {"volume": {"claimName": "work", "path": "artifacts"}}
REFERENCE = {"uri": "volume://work/artifacts/x", "size": 1, "sha256": "ab", "type": "file"}
INPUTS = {"inputs": {"model": {"from": "erp.model", "path": "in"}}}
OUTPUTS = {"outputs": {"table": {"path": "t.csv"}}}


def made(artifacts: dict[str, Any], store: dict[str, Any] = CLAIM, upstream: Any = None, **task: Any) -> dict[str, Any]:
    erp = {"image": "x", "artifacts": {"outputs": {"model": {"path": "m"}}}}
    tasks = {"erp": erp, "a": {"image": "x", "dependsOn": ["erp"], "artifacts": artifacts, **task}}
    definition = define({"tasks": tasks, "artifacts": {"store": store, "expireAfter": "30d"}})
    run = RunFacts("r1", "ns", "0123456789", "dag-1")
    outputs = {"artifacts": {"model": REFERENCE}} if upstream is None else upstream
    values = {"tasks.erp.outputs": outputs, "tasks.erp.state": "Succeeded"}
    if isinstance(outputs, list):
        tasks["erp"]["forEach"] = {"range": {"stop": len(outputs)}}
        definition = define({"tasks": tasks, "artifacts": {"store": store}})
        values["tasks.erp.states"] = ["Succeeded"] * len(outputs)
    body = build(
        "r1-a-1",
        Start("a", None, 1, ""),
        definition.tasks["a"],
        run,
        lambda text: evaluate(text, definition.scope("a"), {**run.values(), "run.attempt": 1}, lambda _: values),
        "operator:1",
        store=definition.spec.artifacts,
    )
    found: dict[str, Any] = json.loads(body)["spec"]
    return found


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return env({"spec": {"containers": [container]}})


def test_only_what_is_declared_brings_a_container() -> None:
    assert [item["name"] for item in made(INPUTS)["initContainers"]] == ["tradewind-fetch"]
    assert [item["name"] for item in made(OUTPUTS)["initContainers"]] == ["tradewind-store"]
    assert [item["name"] for item in made({**INPUTS, **OUTPUTS})["initContainers"]] == [
        "tradewind-fetch", "tradewind-store",
    ]  # fmt: skip


def test_what_stores_is_a_native_sidecar_that_has_time_and_is_there_before_the_task() -> None:
    spec = made(OUTPUTS, gracePeriod="5s")
    store = spec["initContainers"][0]
    assert store["restartPolicy"] == "Always" and store["lifecycle"]["postStart"]["exec"]["command"][0] == "/bin/sh"
    assert spec["terminationGracePeriodSeconds"] == 600
    work = json.loads(variables(store)["TRADEWIND_OUTPUTS_TO_STORE"])
    assert work == {
        "prefix": "ns/dag-1/r1-01234567/a/1", "outputs": {"table": "t.csv"}, "all": "ns/dag-1/", "expireAfter": 2592000,
    }  # fmt: skip


def test_both_are_restricted_and_share_a_folder_with_the_task() -> None:
    spec = made({**INPUTS, **OUTPUTS})
    for container in spec["initContainers"]:
        assert container["image"] == "operator:1" and container["securityContext"] == {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
        }  # fmt: skip
    mounts = [container["volumeMounts"] for container in [*spec["initContainers"], *spec["containers"]]]
    assert all(mount[0] == {"name": "tradewind-artifacts", "mountPath": "/tradewind"} for mount in mounts)
    assert variables(spec["containers"][0])["TRADEWIND_ARTIFACTS"] == "/tradewind/artifacts"


def test_the_store_is_seen_by_those_two_only() -> None:
    spec = made({**INPUTS, **OUTPUTS})
    fetch, store, main = [*spec["initContainers"], *spec["containers"]]
    assert {"name": "tradewind-store", "mountPath": "/tradewind-store", "readOnly": True} in fetch["volumeMounts"]
    assert {"name": "tradewind-store", "mountPath": "/tradewind-store"} in store["volumeMounts"]
    assert len(main["volumeMounts"]) == 1
    spec = made({**INPUTS, **OUTPUTS}, S3)
    fetch, store, main = [*spec["initContainers"], *spec["containers"]]
    for container in (fetch, store):
        key = variables(container)["TRADEWIND_SECRET_KEY"]
        assert key == {"secretKeyRef": {"name": "keys", "key": "secretKey"}}
    assert "keys" not in json.dumps(main) and len(spec["volumes"]) == 1


def test_what_is_fetched_is_the_reference_of_the_task_upstream_and_of_a_fan_out_one_for_each_item() -> None:
    wanted = {"name": "model", "path": "in", "artifact": REFERENCE}
    assert json.loads(variables(made(INPUTS)["initContainers"][0])["TRADEWIND_INPUTS"]) == [wanted]
    several = made(INPUTS, upstream=[{"artifacts": {"model": REFERENCE}}] * 2)["initContainers"][0]
    assert json.loads(variables(several)["TRADEWIND_INPUTS"]) == [
        {**wanted, "path": "in/0"},
        {**wanted, "path": "in/1"},
    ]


def test_an_artifact_that_was_not_made_is_missing_unless_it_is_optional() -> None:
    with pytest.raises(NoArtifact, match=r"spec.tasks.a.artifacts.inputs.model.from: erp made no artifact 'model'"):
        made(INPUTS, upstream={})
    with pytest.raises(NoArtifact, match=r"erp\[1\] made no artifact 'model'"):
        made(INPUTS, upstream=[{"artifacts": {"model": REFERENCE}}, None])
    optional = {"inputs": {"model": {**INPUTS["inputs"]["model"], "optional": True}}}
    assert json.loads(variables(made(optional, upstream={})["initContainers"][0])["TRADEWIND_INPUTS"]) == []


def fetched(given: dict[str, Any], upstream: Any = None, **more: Any) -> list[dict[str, Any]]:
    spec = made({"inputs": {"model": {"path": "in", **given}}}, upstream=upstream, **more)
    found: list[dict[str, Any]] = json.loads(variables(spec["initContainers"][0])["TRADEWIND_INPUTS"])
    return found


def test_inputs_from_elsewhere_are_rendered() -> None:
    one = {"name": "model", "path": "in"}
    assert fetched({"text": "$HOME $[[ 1 + 1 ]]"}) == [{**one, "text": "$$HOME 2"}]
    assert fetched({"key": "raw/$[[ run.name ]]/"}) == [{**one, "key": "raw/r1/"}]
    more = {"unpack": True, "optional": True, "sha256": "0" * 64}
    assert fetched({"url": "https://x/$[[ 1 ]]", **more}) == [{**one, "url": "https://x/1", **more}]
    assert fetched({"url": "https://x", "maxSize": "2Mi"}) == [{**one, "url": "https://x", "maxSize": 2 << 20}]
    assert fetched({"key": "raw.tar", "unpack": True, "maxSize": "1Ti"})[0]["maxSize"] == 1 << 40


def test_texts_that_become_too_long_are_named_before_all_are_made() -> None:
    upstream = {"artifacts": {"model": REFERENCE}, "x": "y" * 4_000}
    text = "$[[ tasks.erp.outputs.x ]]"
    with pytest.raises(NoArtifact, match=r"artifacts\.inputs\.b\.text: it is over 100000 bytes once rendered"):
        made({"inputs": {"b": {"text": text * 30, "path": "b"}}}, upstream=upstream)
    many = {f"V{at}": text * 30 for at in range(20)}
    with pytest.raises(Unrenderable, match=r"env\.V.*: with it, the task's rendered values take more than 1 MiB"):
        made(INPUTS, upstream=upstream, env=many)


def test_the_value_of_a_reference_must_be_one() -> None:
    given = {"reference": "tasks.erp.outputs.model"}
    own = {**REFERENCE, "other": 1}
    assert fetched(given, {"model": own}) == [{"name": "model", "path": "in", "artifact": REFERENCE}]
    for value in ("x", {"uri": "x"}, {**REFERENCE, "size": "1"}, None):
        with pytest.raises(NoArtifact, match=r"spec.tasks.a.artifacts.inputs.model.reference: not the reference"):
            fetched(given, {"model": value})
    assert fetched({**given, "optional": True}, {"model": None}) == []


# Ends.


def seen(
    phase: str, store: dict[str, Any], main: dict[str, Any] | None = None, name: str = "tradewind-store", **more: Any
) -> Any:
    status = {"phase": phase, "initContainerStatuses": [{"name": name, "state": store}], **more}
    return observe(pod(status, **(main or {"terminated": terminated(0, '{"rows": 1}')})))


STORED = terminated(0, json.dumps({"artifacts": {"table": REFERENCE}}), seconds=9)


def test_an_attempt_lives_until_its_artifacts_are_stored() -> None:
    alive = seen("Running", {"running": {}})
    assert isinstance(alive, Alive) and alive.started
    ended = seen("Running", {"terminated": STORED})
    assert isinstance(ended, Ended) and ended.outputs == {"rows": 1, "artifacts": {"table": REFERENCE}}
    assert ended.attempt.succeeded and ended.attempt.end - ended.attempt.start == 9


@pytest.mark.parametrize(
    ("store", "reason", "words"),
    [
        (terminated(1, '{"reason": "ArtifactMissing", "message": "no t.csv"}'), "ArtifactMissing", "no t.csv"),
        (terminated(1, '{"reason": "Made up", "message": "x"}'), "ArtifactError", "x"),
        (terminated(137, "ready"), "ArtifactError", "raise spec.artifacts.uploadTimeout"),
        (terminated(137, "ready", "OOMKilled"), "ArtifactError", "more memory than its limit"),
        (terminated(2, "Traceback"), "ArtifactError", "exit code 2, without a word: see its log"),
        (terminated(0, "ready"), "ArtifactError", "exit code 0"),
    ],
)
def test_artifacts_that_were_not_stored_fail_the_attempt_although_kubernetes_says_succeeded(
    store: dict[str, Any], reason: str, words: str
) -> None:
    ended = seen("Succeeded", {"terminated": store})
    assert ended.attempt.reason == reason and words in ended.message and not ended.outputs


def test_a_failure_of_the_task_itself_counts_more_and_at_once() -> None:
    ended = seen("Running", {"running": {}}, {"terminated": terminated(3)})
    assert ended.attempt.reason == "Error" and ended.attempt.exit_code == 3


def test_an_output_that_takes_the_name_of_the_artifacts_is_refused() -> None:
    ended = seen("Succeeded", {"terminated": STORED}, {"terminated": terminated(0, '{"artifacts": 1}')})
    assert ended.attempt.reason == "OutputInvalid" and "call the output otherwise" in ended.message


def test_a_pod_that_is_lost_while_it_stores_is_lost() -> None:
    status = {"phase": "Running", "initContainerStatuses": [{"name": "tradewind-store", "state": {"running": {}}}]}
    ended = observe(pod(status, gone=True, terminated=terminated(0)))
    assert isinstance(ended, Ended) and ended.attempt.reason == "PodDeleted"


def test_what_could_not_be_fetched_is_said_by_the_attempt_that_never_began() -> None:
    message = '{"reason": "ArtifactMismatch", "message": "was 1, is 2"}'
    waiting = {"waiting": {"reason": "PodInitializing"}}
    ended = seen("Failed", {"terminated": terminated(1, message)}, waiting, "tradewind-fetch")
    assert (ended.attempt.reason, ended.message) == ("ArtifactMismatch", "was 1, is 2")


def test_what_holds_up_a_container_before_the_task_is_said() -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "keys" not found'}}
    alive = seen("Pending", waiting, {"waiting": {"reason": "PodInitializing"}})
    assert (alive.started, alive.reason) == (False, "CreateContainerConfigError") and "keys" in alive.message
