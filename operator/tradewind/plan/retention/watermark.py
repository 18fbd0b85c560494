"""Up to where the recorder has recorded, in a ConfigMap; and which runs wait for it before they are deleted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tradewind.plan.retention.runs import Surplus

NAME = "tradewind-recorder"


class Watermark(NamedTuple):
    """What the recorder publishes. Versions are resource versions, which grow with every write to the cluster."""

    runs: int = 0
    """Every run that had ended by this version is on record."""
    logs: int = 0
    """The logs of every pod that had ended by this version are on record."""


NOTHING = Watermark()


def data(mark: Watermark, uid: str, cluster: str, at: str) -> dict[str, str]:
    """The data of the ConfigMap with this uid. `cluster` is the cluster's uid, `at` an API timestamp; both are for people."""
    return {"configMap": uid, "cluster": cluster, "runsUpTo": str(mark.runs), "logsUpTo": str(mark.logs), "at": at}


def read(body: Mapping[str, Any]) -> Watermark:
    """The watermark in a ConfigMap; NOTHING where it is of another cluster or time. One that was copied, or restored from a backup, has
    another uid than it says. One that etcd was reset below names versions that do not exist yet: the ConfigMap itself is newer than all
    that it speaks of."""
    found, meta = body.get("data") or {}, body.get("metadata") or {}
    runs, logs, own = (
        _version(text) for text in (found.get("runsUpTo"), found.get("logsUpTo"), meta.get("resourceVersion"))
    )
    if not meta.get("uid") or found.get("configMap") != meta.get("uid") or max(runs, logs) >= own:
        return NOTHING
    return Watermark(runs, logs)


def _version(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20 else 0


class Unrecorded(NamedTuple):
    """How much waits for the recorder."""

    runs: int = 1_000
    """Of a DAG, at most."""
    seconds: int = 86_400
    """After a run's end, at most."""


class Released(NamedTuple):
    """Runs that may be deleted now, and those that wait."""

    free: Sequence[Surplus]
    lost: Sequence[Surplus]
    """Those among them that are not on record: more wait, or longer, than the limits allow."""
    waiting: int


def released(found: Sequence[Surplus], up_to: int, limits: Unrecorded, now: int) -> Released:
    """Which of the runs to delete, earliest end first, don't have to wait until they are recorded; `now` in epoch seconds."""
    waiting = [item for item in found if item.past.version > up_to]
    over = max(0, len(waiting) - limits.runs)
    lost = [item for place, item in enumerate(waiting) if place < over or item.past.ended + limits.seconds <= now]
    names = {item.name for item in waiting} - {item.name for item in lost}
    return Released([item for item in found if item.name not in names], lost, len(names))
