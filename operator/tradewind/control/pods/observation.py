"""The state of an attempt according to its pod: alive (and what delays it), or ended (how, and with which outputs)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tradewind.control.pods.artifact_results import references
from tradewind.control.pods.exit_code import meaning
from tradewind.control.pods.labels import attempt_of
from tradewind.kube.pod import FETCH, STORE, ContainerState, Pod, Terminated
from tradewind.model.bounded import OutOfBounds, read_json
from tradewind.model.value import Output
from tradewind.plan.dags.artifacts import KEY
from tradewind.plan.expressions.output_text import read_text
from tradewind.plan.expressions.typed_values import accepted, outputs_problem
from tradewind.plan.outcomes.attempt import Attempt, AttemptKey
from tradewind.plan.runs.decision import GATED

_REPLACED = "\ufffd"
OUTPUTS_LIMIT = 4_096
"""Bytes of a termination message; the limit of Kubernetes. The kubelet keeps only the tail of a longer one, so a message of this length may
be truncated."""
TOO_LARGE = (
    f"the outputs are over {OUTPUTS_LIMIT - 1} bytes, the limit of Kubernetes for a result in the pod's status: write big results to a "
    "volume or an object store and put only their path, size and checksum into $TRADEWIND_OUTPUTS"
)


STATUS_UNKNOWN = "ContainerStatusUnknown"
"""The kubelet's reason, with exit code 137, for a container of which it knows nothing, such as one that was never created."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended attempt, with what the run's status records of it."""

    attempt: Attempt
    message: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alive:
    """A pod that has not ended. `started` is false until its container runs; reason and message say what delays it."""

    number: int
    started: bool
    stopping: bool
    reason: str = ""
    message: str = ""


def unit_of(pod: Pod) -> AttemptKey:
    """The task or item of the pod and the attempt number; the number is 0 if a label was changed."""
    return attempt_of(pod.metadata.labels)


def observe(pod: Pod, stopped: str = "", why: str = "", declared: Mapping[str, Output] | None = None) -> Ended | Alive:
    """The attempt's state. `stopped` is the reason for which the operator deleted the pod, empty if it didn't, and `why` the details;
    `declared` are the outputs that the task must write."""
    main = pod.main()
    terminated = main.terminated if main else None
    if pod.status.phase == "Succeeded" or (terminated and terminated.exit_code == 0 and not pod.status.reason):
        store = pod.helper(STORE)
        if store is None:
            return _done(pod, terminated, declared or {})
        if store.terminated or pod.status.phase in ("Succeeded", "Failed"):
            return _stored(_done(pod, terminated, declared or {}), store.terminated)
        if not pod.gone:
            return Alive(unit_of(pod)[1], True, pod.metadata.deletion_timestamp is not None)
    if terminated or pod.status.phase == "Failed" or pod.gone:
        reason, message = (stopped, why) if stopped else _failure(pod, terminated)
        init = _failed_init(pod) if terminated is None and reason in ("Error", "OOMKilled") else None
        left = {} if stopped else _left(terminated, declared or {})
        return Ended(_attempt(pod, init[1] if init else terminated, reason), message, left)
    reason, message = _hold(pod, main)
    started = bool(main and main.running)
    return Alive(unit_of(pod)[1], started, pod.metadata.deletion_timestamp is not None, reason, message)


def _attempt(pod: Pod, terminated: Terminated | None, reason: str = "") -> Attempt:
    created = _epoch(pod.metadata.creation_timestamp) or 0
    scheduled = pod.condition("PodScheduled")
    fallback = _epoch(scheduled.last_transition_time) if scheduled and scheduled.status == "True" else None
    start = (_epoch(terminated.started_at) if terminated else None) or fallback or created
    end = (_epoch(terminated.finished_at) if terminated else None) or _deleted(pod) or start
    unit, number = unit_of(pod)
    return Attempt(
        task=unit,
        number=number,
        start=start,
        end=max(start, end),
        reason=reason,
        exit_code=terminated.exit_code if terminated and reason and terminated.reason != STATUS_UNKNOWN else None,
        node=pod.spec.node_name,
    )


def _deleted(pod: Pod) -> int | None:
    """When the deletion of a pod was requested: its timestamp lies ahead by the time that containers have to stop."""
    at = _epoch(pod.metadata.deletion_timestamp)
    return None if at is None else at - (pod.metadata.deletion_grace_period_seconds or 0)


def _done(pod: Pod, terminated: Terminated | None, declared: Mapping[str, Output]) -> Ended:
    text = terminated.message if terminated else ""
    size = len(text.encode())
    if size >= OUTPUTS_LIMIT:
        return Ended(_attempt(pod, terminated, "OutputTooLarge"), TOO_LARGE)
    if (found := read_text(declared, text)) is not None and _REPLACED not in text:
        found, problem = accepted(declared, found)
        return Ended(_attempt(pod, terminated, "OutputInvalid" if problem else ""), problem, found)
    if not text.strip():
        if problem := outputs_problem(declared, {}):
            return Ended(_attempt(pod, terminated, "OutputInvalid"), f"{problem}; write it to $TRADEWIND_OUTPUTS")
        return Ended(_attempt(pod, terminated))
    if _REPLACED in text:
        return _unreadable(pod, terminated, f"hold {_REPLACED!a}, which stands for bytes that were no UTF-8")
    try:
        outputs = read_json(text, limit=OUTPUTS_LIMIT)
    except OutOfBounds as error:
        what = f"{error.path} {error.problem}" if error.path else f"are{error.problem.removeprefix('is')}"
        return _unreadable(pod, terminated, what)
    if not isinstance(outputs, dict):
        kind = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}.get(type(outputs), "a number")
        return _unreadable(pod, terminated, f"are {kind}")
    if problem := outputs_problem(declared, outputs):
        return Ended(_attempt(pod, terminated, "OutputInvalid"), problem)
    return Ended(_attempt(pod, terminated), outputs=outputs)


def _left(terminated: Terminated | None, declared: Mapping[str, Output]) -> dict[str, Any]:
    """The declared outputs that a failed attempt has left. What can't be read is left out: the attempt has failed anyway."""
    text = terminated.message if terminated and declared else ""
    if not text.strip() or len(text.encode()) >= OUTPUTS_LIMIT or _REPLACED in text:
        return {}
    try:
        found = read_text(declared, text) or read_json(text, limit=OUTPUTS_LIMIT)
    except OutOfBounds:
        return {}
    known = {name: found[name] for name in declared if name in found} if isinstance(found, dict) else {}
    return {name: value for name, value in known.items() if not outputs_problem({name: declared[name]}, {name: value})}


def _stored(end: Ended, store: Terminated | None) -> Ended:
    """The end of an attempt whose artifacts were stored, or failed to be."""
    attempt = end.attempt
    if store and (finished := _epoch(store.finished_at)):
        attempt = replace(attempt, end=max(attempt.end, finished))
    if not attempt.succeeded:
        return replace(end, attempt=attempt)
    reason, message, found = references(store)
    if not reason and KEY in end.outputs:
        reason = "OutputInvalid"
        message = f"the output {KEY!r} is taken: the task's artifacts have this name; call the output otherwise"
    if reason:
        return Ended(replace(attempt, reason=reason), message)
    return Ended(attempt, outputs={**end.outputs, KEY: found})


def _unreadable(pod: Pod, terminated: Terminated | None, what: str) -> Ended:
    example = json.dumps({"rows": 42})
    message = f"the outputs must be one JSON object, but {what}: write e.g. {example} to $TRADEWIND_OUTPUTS, once"
    return Ended(_attempt(pod, terminated, "OutputInvalid"), message)


_DISRUPTIONS = {
    "PreemptionByScheduler": "Preempted",
    "EvictionByEvictionAPI": "Evicted",
    "TerminationByKubelet": "Evicted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
}
_POD_REASONS = {
    "Evicted": "Evicted",
    "Preempting": "Preempted",
    "NodeLost": "NodeLost",
    "NodeShutdown": "NodeLost",
    "Terminated": "NodeLost",
    "Shutdown": "NodeLost",
    "DeadlineExceeded": "DeadlineExceeded",
}


def _failure(pod: Pod, terminated: Terminated | None) -> tuple[str, str]:
    """Reason and message of a failed attempt."""
    words = pod.status.message
    if pod.status.reason in _POD_REASONS:
        reason = _POD_REASONS[pod.status.reason]
        if reason == "DeadlineExceeded":
            return reason, "the attempt took longer than the task's timeout: raise `timeout`, or make the task faster"
        return reason, words
    target = pod.condition("TerminationTarget")
    if target and target.status == "True":
        return "Preempted", f"a queue stopped the pod ({target.reason}): {target.message or 'without a reason'}"
    disruption = pod.condition("DisruptionTarget")
    if disruption and disruption.status == "True" and disruption.reason in _DISRUPTIONS:
        return _DISRUPTIONS[disruption.reason], disruption.message or ""
    if pod.metadata.deletion_timestamp or pod.gone:
        return "PodDeleted", "the pod was deleted before it ended"
    fetch = pod.helper(FETCH)
    if terminated is None and fetch and fetch.terminated and fetch.terminated.exit_code:
        reason, message, _ = references(fetch.terminated)
        return reason, message
    if terminated is None and (init := _failed_init(pod)):
        name, ended = init
        if ended.reason == "OOMKilled":
            return "OOMKilled", f"the init container {name} used more memory than its limit: raise it in podTemplate"
        return (
            "Error",
            f"the init container {name} ended with exit code {ended.exit_code}{meaning(ended.exit_code)}: see its log",
        )
    if terminated is None:
        # The kubelet refused it before any container ran: OutOfcpu, NodeAffinity, UnexpectedAdmissionError, ...
        return "Rejected", f"{pod.status.reason}: {words}".strip(": ")
    if terminated.reason == "OOMKilled":
        return "OOMKilled", "the container used more memory than its limit: raise resources.limits.memory"
    if terminated.reason in ("StartError", "ContainerCannotRun"):
        return "StartError", _start_error(terminated.message)
    return "Error", f"the task ended with exit code {terminated.exit_code}{meaning(terminated.exit_code)}: see its log"


def _failed_init(pod: Pod) -> tuple[str, Terminated] | None:
    """An init container from the task's podTemplate that failed, so that nothing after it ran."""
    for item in pod.status.init_container_statuses:
        if item.name not in (FETCH, STORE) and (ended := item.state.terminated) and ended.exit_code:
            return item.name, ended
    return None


_HERE = "not found on this machine"
"""Local mode reports this in place of a container runtime."""


def _start_error(words: str) -> str:
    if "executable file not found" in words or "no such file or directory" in words:
        quoted = words.partition('exec: "')[2].partition('"')[0]
        way = "install it: tasks run on this machine, without images" if _HERE in words else "use an image that has it"
        return f"command not found: {quoted or words[-200:]}; check `command`, or {way}"
    return f"the container could not be started: {words[-600:]}"


_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}


def _hold(pod: Pod, main: ContainerState | None) -> tuple[str, str]:
    """What keeps a pod from starting, if a person should know."""
    if gates := ", ".join(gate.name for gate in pod.spec.scheduling_gates):
        return (
            GATED,
            f"the pod has the scheduling gates {gates}: it is scheduled when their owner, such as a queue, removes them"[
                :500
            ],
        )
    waiting = main.waiting if main else None
    if waiting and waiting.reason == "PodInitializing":
        # The kubelet reports only this for a container whose turn has not come yet.
        waiting = next(
            (item.state.waiting for item in pod.status.init_container_statuses if _held(item.state)), waiting
        )
    if waiting and waiting.reason in _IMAGE:
        return (
            waiting.reason,
            f"the image can't be pulled: {waiting.message[-500:] or waiting.reason}; check `image` and its registry",
        )
    if waiting and waiting.reason and waiting.reason not in ("ContainerCreating", "PodInitializing"):
        return waiting.reason, waiting.message[-500:]
    scheduled = pod.condition("PodScheduled")
    if scheduled and scheduled.status == "False":
        return scheduled.reason or "Unschedulable", (scheduled.message or "no node takes the pod")[:500]
    return "", ""


def _held(state: ContainerState) -> bool:
    return state.waiting is not None and state.waiting.reason not in ("", "ContainerCreating", "PodInitializing")


def _epoch(stamp: datetime | None) -> int | None:
    return int(stamp.timestamp()) if stamp else None
