"""How an attempt ended, from its pod; and the message that a user reads."""

import json
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.pods.observation import Alive, Ended, observe
from tradewind.kube.pod import Pod, parse_pod
from tradewind.model.value import Output
from tradewind.plan.dags.compile import define

from control.pod_bodies import pod, terminated


def ended(found: Pod, stopped: str = "") -> Ended:
    seen = observe(found, stopped)
    assert isinstance(seen, Ended), seen
    return seen


def test_outputs_are_the_json_object_of_the_termination_message() -> None:
    seen = ended(pod({"phase": "Succeeded"}, terminated=terminated(0, '{"rows": 5, "ok": true}\n')))
    assert seen.attempt.succeeded and seen.outputs == {"rows": 5, "ok": True}
    assert (seen.attempt.end - seen.attempt.start, seen.attempt.node, seen.attempt.exit_code) == (3, "n1", None)


def test_a_task_needs_no_outputs() -> None:
    seen = ended(pod({"phase": "Succeeded"}, terminated=terminated(0)))
    assert seen.attempt.succeeded and seen.outputs == {}


@pytest.mark.parametrize("size", [4_096, 5_000])
def test_outputs_over_the_limit_fail_the_attempt_and_name_the_way_out(size: int) -> None:
    text = '{"a": "' + "x" * (size - 9) + '"}'
    seen = ended(pod({"phase": "Succeeded"}, terminated=terminated(0, text)))
    assert seen.attempt.reason == "OutputTooLarge" and not seen.outputs
    assert "over 4095 bytes" in seen.message and "write big results to a volume or an object store" in seen.message


def test_the_largest_outputs_that_fit_are_taken() -> None:
    text = '{"a": "' + "x" * (4_095 - 9) + '"}'
    assert len(text) == 4_095 and ended(pod({"phase": "Succeeded"}, terminated=terminated(0, text))).attempt.succeeded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rows=5", "not JSON"),
        ("[1]", "a list"),
        ("3", "a number"),
        ('"x"', "a string"),
        ("null", "null"),
        ('{"a": NaN}', "not JSON"),
        ("{}{}", "not JSON"),
    ],
)
def test_outputs_that_are_not_one_object_fail_the_attempt(text: str, words: str) -> None:
    seen = ended(pod({"phase": "Succeeded"}, terminated=terminated(0, text)))
    assert seen.attempt.reason == "OutputInvalid"
    assert words in seen.message and '{"rows": 42}' in seen.message


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (pod({"phase": "Failed"}, terminated=terminated(3)), "Error", "exit code 3: see its log"),
        (
            pod({"phase": "Failed"}, terminated=terminated(137, reason="OOMKilled")),
            "OOMKilled",
            "raise resources.limits.memory",
        ),
        (
            pod(
                {"phase": "Failed"},
                terminated=terminated(128, 'x exec: "nope": executable file not found in $PATH', "StartError"),
            ),
            "StartError",
            "command not found: nope; check `command`, or use an image that has it",
        ),
        (
            pod(
                {"phase": "Failed"},
                terminated=terminated(128, 'exec: "nope": executable file not found on this machine', "StartError"),
            ),
            "StartError",
            "command not found: nope; check `command`, or install it: tasks run on this machine, without images",
        ),
        (
            pod({"phase": "Failed", "reason": "DeadlineExceeded"}, terminated=terminated(143)),
            "DeadlineExceeded",
            "raise `timeout`",
        ),
        (pod({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}), "Evicted", "low on disk"),
        (pod({"phase": "Failed", "reason": "NodeLost"}), "NodeLost", ""),
        (pod({"phase": "Failed", "reason": "OutOfcpu", "message": "no room"}), "Rejected", "OutOfcpu: no room"),
        (pod(gone=True, deleted=True, running={}), "PodDeleted", "deleted before it ended"),
        (pod({"phase": "Failed"}, deleted=True, terminated=terminated(143)), "PodDeleted", ""),
        (
            pod(
                {
                    "phase": "Failed",
                    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
                },
                deleted=True,
                terminated=terminated(143),
            ),
            "Preempted",
            "",
        ),
        (
            pod(
                {
                    "phase": "Failed",
                    "conditions": [
                        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
                        {
                            "type": "TerminationTarget",
                            "status": "True",
                            "reason": "StoppedByKueue",
                            "message": "Preempted to accommodate a workload",
                        },
                    ],
                },
                deleted=True,
                terminated=terminated(143),
            ),
            "Preempted",
            "StoppedByKueue): Preempted to accommodate a workload",
        ),
        (
            pod(
                {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]},
                gone=True,
            ),
            "NodeLost",
            "",
        ),
    ],
)
def test_each_end_has_its_reason_and_its_words(found: Pod, reason: str, words: str) -> None:
    seen = ended(found)
    assert seen.attempt.reason == reason and words in seen.message


def test_a_pod_that_we_stopped_ends_as_we_said() -> None:
    assert ended(pod(gone=True, deleted=True), "PendingTimeout").attempt.reason == "PendingTimeout"
    assert ended(pod(gone=True, deleted=True), "Cancelled").attempt.reason == "Cancelled"


def test_a_task_that_got_done_while_it_was_being_deleted_is_done() -> None:
    assert ended(pod({"phase": "Succeeded"}, gone=True, deleted=True, terminated=terminated(0))).attempt.succeeded


def test_a_task_ends_with_its_main_container_even_when_a_sidecar_goes_on() -> None:
    assert ended(pod({"phase": "Running"}, terminated=terminated(0))).attempt.succeeded


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (
            pod(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling x"}),
            "ImagePullBackOff",
            "Back-off pulling x; check `image`",
        ),
        (
            pod(waiting={"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}),
            "CreateContainerConfigError",
            'secret "s"',
        ),
        (
            pod(
                {
                    "conditions": [
                        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
                    ]
                }
            ),
            "Unschedulable",
            "0/1 nodes",
        ),
        (pod(waiting={"reason": "ContainerCreating"}), "", ""),
        (pod({"phase": "Running"}, running={"startedAt": "2026-01-01T00:00:10Z"}), "", ""),
    ],
)
def test_what_holds_a_pod_up_is_said(found: Pod, reason: str, words: str) -> None:
    seen = observe(found)
    assert isinstance(seen, Alive)
    assert seen.reason == reason and words in seen.message
    assert seen.started == (found.status.phase == "Running")


def test_a_pod_that_is_being_deleted_is_stopping_until_it_has_ended() -> None:
    seen = observe(pod({"phase": "Running"}, deleted=True, running={}))
    assert isinstance(seen, Alive) and seen.stopping


def test_labels_that_were_tampered_with_do_no_harm() -> None:
    import msgspec

    found = pod({"phase": "Succeeded"}, terminated=terminated(0))
    meta: Any = msgspec.structs.replace(found.metadata, labels={"tradewind.dev/attempt": "many"})
    assert ended(msgspec.structs.replace(found, metadata=meta)).attempt.number == 0


GATED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}


def test_pending_timeout_counts_from_when_the_last_scheduling_gate_is_gone() -> None:
    meta = {"name": "r", "namespace": "ns", "uid": "run-uid", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running"}}))
    planner = state.bind(define({"tasks": {"a": {"image": "x", "pendingTimeout": "30s"}}}), [], 0.0, 0.0)

    def stops(found: Pod, now: float) -> list[str]:
        state.pods.note("r-a-1")
        state.absorb({"r-a-1": found}, now)
        return [stop.reason for stop in planner.decide(now).stops]

    assert stops(pod(GATED), 0.0) == [] and stops(pod(GATED), 1_000.0) == []
    assert planner.holds["a"].reason == "SchedulingGated"
    assert stops(pod(), 5_000.0) == [] and stops(pod(), 5_029.0) == []
    assert stops(pod(), 5_030.0) == ["PendingTimeout"]


def test_a_gate_is_called_by_its_name() -> None:
    gated = parse_pod(
        json.dumps({"metadata": {"name": "p"}, "spec": {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}})
    )
    seen = observe(gated)
    assert isinstance(seen, Alive) and "has the scheduling gates kueue.x-k8s.io/admission" in seen.message


def initialized(code: int, name: str = "fetch", reason: str = "") -> Pod:
    """A pod whose init container has ended this way, as a kubelet reports it."""
    ended_ = [{"name": name, "state": {"terminated": terminated(code, reason=reason)}}]
    return pod({"phase": "Failed", "initContainerStatuses": ended_}, waiting={"reason": "PodInitializing"})


def test_an_init_container_of_the_task_that_fails_is_a_failure_of_the_task() -> None:
    seen = ended(initialized(3))
    assert (seen.attempt.reason, seen.attempt.exit_code) == ("Error", 3)
    assert seen.message == "the init container fetch ended with exit code 3: see its log"
    assert ended(initialized(137, reason="OOMKilled")).attempt.reason == "OOMKilled"
    assert ended(initialized(0)).attempt.reason == "Rejected"


def test_outputs_that_are_no_utf_8_fail_the_attempt() -> None:
    """A kubelet replaces such bytes by U+FFFD."""
    seen = ended(pod({"phase": "Succeeded"}, terminated=terminated(0, '{"name": "caf\ufffd"}')))
    assert seen.attempt.reason == "OutputInvalid" and "bytes that were no UTF-8" in seen.message


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"rows": 5, "extra": 1}', {"rows": 5}),
        ('{"rows": "five", "name": "x"}', {"name": "x"}),
        ("not JSON", {}),
        ("[1]", {}),
        ('{"rows": ' + "1" * 4_100 + "}", {}),
        ("", {}),
    ],
)
def test_a_failed_attempt_leaves_the_declared_outputs_that_can_be_read(text: str, left: dict[str, Any]) -> None:
    declared = {"rows": Output(type="integer"), "name": Output(type="string")}
    found = pod({"phase": "Failed"}, terminated=terminated(3, text, "Error"))
    seen = observe(found, declared=declared)
    assert isinstance(seen, Ended) and (seen.attempt.reason, seen.outputs) == ("Error", left)
    assert ended(found).outputs == {}, "undeclared outputs of a failed attempt are not read"
    stopped = observe(found, "Cancelled", declared=declared)
    assert isinstance(stopped, Ended) and stopped.outputs == {}


def test_a_pod_that_never_ran_ends_when_its_deletion_was_requested() -> None:
    """The deletion timestamp lies ahead by the grace period, and the kubelet invents an exit code."""
    unknown = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "",
        "startedAt": None,
        "finishedAt": None,
    }
    attempt = ended(pod({"phase": "Failed"}, deleted=True, terminated=unknown), "Cancelled").attempt
    assert (attempt.end - attempt.start, attempt.exit_code) == (270, None)
