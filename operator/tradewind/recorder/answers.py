"""Answers about recorded runs as plain data: the same for a folder and for the read API."""

from collections.abc import Collection
from typing import Any

from tradewind.recorder.store.database import Database
from tradewind.recorder.store.queries import Found, Wanted, detail, edits, runs, tasks

PARTS = frozenset({"tasks", "edits", "object"})
"""What can be added to a run."""
LARGE_PAGE = 50
"""Runs of a page with parts, at most: an object may have a megabyte."""


def page(
    database: Database, wanted: Wanted, limit: int, after: str = "", parts: Collection[str] = ()
) -> dict[str, Any]:
    """A page of runs, newest first, and the cursor of the next one. Raises BadCursor, and StoreError."""
    found = runs(database, wanted, min(limit, LARGE_PAGE) if parts else limit, after)
    return {"runs": [with_parts(database, run, parts) for run in found.runs], "more": found.more}


def with_parts(database: Database, run: Found, parts: Collection[str]) -> dict[str, Any]:
    """A run, with its `tasks`, `edits` and `object` (the DAGRun as it was) as far as they are wanted. Raises StoreError."""
    data = run.data()
    if "tasks" in parts:
        data["tasks"] = tasks(database, run.id)
    if "edits" in parts:
        data["edits"] = edits(database, run.id)
    if "object" in parts:
        data["object"] = detail(database, run.id)
    return data
