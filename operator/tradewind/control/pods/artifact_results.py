"""Termination messages of the artifact containers: references by name, or the reason for a failure."""

from typing import Any

from tradewind.kube.pod import Terminated
from tradewind.model.bounded import OutOfBounds, read_json
from tradewind.plan.dags.artifacts import KEY

REASONS = frozenset({"ArtifactMissing", "ArtifactMismatch", "ArtifactError"})

MESSAGE_LIMIT = 12_288
"""Bytes of the termination messages of all containers of a pod together; the limit of Kubernetes."""


def references(ended: Terminated | None) -> tuple[str, str, dict[str, Any]]:
    """Reason and message if the artifacts make the attempt fail (else empty), and the references by name."""
    message: Any = None
    try:
        message = read_json(ended.message, limit=MESSAGE_LIMIT) if ended else None
    except OutOfBounds:
        message = None
    if not isinstance(message, dict):
        return "ArtifactError", _silent(ended), {}
    found = message.get(KEY)
    if ended and ended.exit_code == 0 and isinstance(found, dict):
        return "", "", found
    reason = str(message.get("reason"))
    return reason if reason in REASONS else "ArtifactError", str(message.get("message") or _silent(ended)), {}


def _silent(ended: Terminated | None) -> str:
    if ended is None:
        return "the container for artifacts did not end on its own"
    if ended.reason == "OOMKilled":
        return "the container for artifacts used more memory than its limit: raise it in podTemplate"
    if ended.exit_code == 137:
        return "the artifacts were not stored in time: raise spec.artifacts.uploadTimeout"
    return f"the container for artifacts ended with exit code {ended.exit_code}, without a word: see its log"
