"""The status of a run that can't begin yet, that ends before it begins, or that begins."""

from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.control.dagrun.attempt_log import Packed, append
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.status import called_by, condition, readiness
from tradewind.control.dags.revisions import Revision
from tradewind.kube.merge_patch import Status
from tradewind.model import duration
from tradewind.model.bounded import checked
from tradewind.model.shown import brief
from tradewind.plan.outcomes.attempt import Fixed


def queued(run: Run, reason: str, message: str, now: float) -> Status:
    """The status of a run that can't begin yet."""
    return {
        "observedGeneration": run.generation,
        "phase": "Queued",
        "message": brief(message),
        "conditions": [
            condition("Started", False, reason, message, run, now),
            *readiness("Queued", reason, message, run, now),
        ],
    }


def stillborn(run: Run, phase: str, reason: str, message: str, now: float) -> Status:
    """The status of a run that ends before any task began."""
    return {
        **called_by(run),
        "observedGeneration": run.generation,
        "phase": phase,
        "message": brief(message),
        "startedAt": run.status.get("startedAt") or duration.stamp(now),
        "finishedAt": duration.stamp(now),
        "duration": "0s",
        "conditions": [
            condition("Started", False, reason, message, run, now),
            condition("Progressing", False, phase, message, run, now),
            condition("Succeeded", False, reason, message, run, now),
            *readiness(phase, reason, message, run, now),
        ],
    }


def begun(
    run: Run,
    revision: Revision,
    params: Mapping[str, Any],
    total: int,
    now: float,
    taken: Sequence[Fixed] = (),
    outputs: Mapping[str, Any] | None = None,
    calls: Mapping[str, str] | None = None,
    bound: Mapping[str, Any] | None = None,
) -> Status:
    """The status of a run that begins. It is bound to `revision`, its sub-DAGs to `calls`, revisions by DAG, and its expressions to the values
    `bound`. `taken` and `outputs` are reused from another run."""
    packed = append(Packed(), taken, run.created)
    return {
        "attempts": packed.text,
        "archive": packed.archive,
        "outputs": {item.key: outputs[item.key] for item in taken if outputs and item.key in outputs},
        "edited": 0,
        "observedGeneration": run.generation,
        "phase": "Running",
        "message": "",
        "revision": revision.name,
        "revisionNumber": revision.number,
        **({"calls": dict(calls)} if calls else {}),
        **({"bound": dict(bound)} if bound else {}),
        **called_by(run),
        "params": checked(dict(params)),
        "startedAt": duration.stamp(now),
        "progress": f"0/{total}",
        "total": total,
        "done": 0,
        "failed": 0,
        "skipped": 0,
        "retried": run.rounds,
        "conditions": [
            condition("Started", True, "Started", f"bound to revision {revision.number}, {revision.name}", run, now),
            condition("Progressing", True, "Running", "", run, now),
            *readiness("Running", "Running", "", run, now),
        ],
    }
