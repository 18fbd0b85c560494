"""What made a run, for people."""

import re
from collections.abc import Mapping
from typing import Any

from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.labels import BACKFILL, HOW, TRIGGER

_CAUSE = re.compile(r"Backfill ([a-z0-9.-]+), ")


def made_by(meta: Mapping[str, Any]) -> tuple[str, str]:
    """How a run was made, and the name of the Trigger or Backfill that made it; empty where there is none. A run that a
    backfill made for a tick of a trigger has the labels of both."""
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    how, trigger = str(labels.get(HOW) or ""), str(labels.get(TRIGGER) or "")
    if how != "backfill":
        return how, trigger
    names = [name.removeprefix(BACKFILL) for name in labels if name.startswith(BACKFILL)]
    if len(names) != 1 and (found := _CAUSE.match(str(notes.get(CAUSE) or ""))):  # others retried it
        return how, found[1]
    return how, names[0] if names else trigger
