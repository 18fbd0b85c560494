"""Answers about recorded runs as plain data: the same for a folder and for the read API."""

from collections.abc import Collection
from typing import Any

from tradewind.recorder.store.database import Database
from tradewind.recorder.store.queries import Found, Wanted, cursor_after, detail, edits, runs, tasks

PARTS = frozenset({"tasks", "edits", "object"})
"""What can be added to a run."""
LARGE_PAGE, LARGE_BYTES = 50, 8 * 2**20
"""Runs of a page with objects, and bytes of these objects, at which it ends."""


def page(
    database: Database, wanted: Wanted, limit: int, after: str = "", parts: Collection[str] = ()
) -> dict[str, Any]:
    """A page of runs, newest first, and the cursor of the next one. Raises BadCursor, and StoreError."""
    found = runs(database, wanted, min(limit, LARGE_PAGE) if "object" in parts else limit, after)
    data, size = [], 0
    for place, run in enumerate(found.runs):
        answer, more = with_parts(database, run, parts)
        data.append(answer)
        size += more
        if size >= LARGE_BYTES and place + 1 < len(found.runs):
            return {"runs": data, "more": cursor_after(run)}
    return {"runs": data, "more": found.more}


def with_parts(database: Database, run: Found, parts: Collection[str]) -> tuple[dict[str, Any], int]:
    """A run, with its `tasks`, `edits` and `object` (the DAGRun as it was) as far as they are wanted, and the size of that object. Raises
    StoreError."""
    data, size = run.data(), 0
    if "tasks" in parts:
        data["tasks"] = tasks(database, run.id)
    if "edits" in parts:
        data["edits"] = edits(database, run.id)
    if "object" in parts:
        data["object"], size = detail(database, run.id)
    return data, size
