"""Recorded runs for other programs: NDJSON and CSV."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from tradewind.recorder.store.queries import TASK

RUN = (
    "namespace",
    "name",
    "uid",
    "dag",
    "phase",
    "createdAt",
    "logicalDate",
    "startedAt",
    "finishedAt",
    "deletedAt",
    "madeBy",
    "maker",
    "author",
    "revision",
    "revisionNumber",
    "total",
    "done",
    "failed",
    "skipped",
    "message",
)
OF_RUN = ("namespace", "name", "uid", "dag")
"""Columns of the run in the lines of its tasks."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def ndjson(run: Mapping[str, Any]) -> str:
    """A line of JSON."""
    return json.dumps(run, ensure_ascii=False, separators=(",", ":"))


def header(tasks: bool) -> str:
    """The first line of a CSV file: of runs, or of tasks."""
    return _line([*OF_RUN, *TASK] if tasks else RUN)


def lines(run: Mapping[str, Any], tasks: bool) -> list[str]:
    """The lines of a run: one, or one for each of its tasks."""
    if not tasks:
        return [_line([run.get(name) for name in RUN])]
    before = [run.get(name) for name in OF_RUN]
    return [_line([*before, *(task.get(name) for name in TASK)]) for task in run.get("tasks") or ()]


def _line(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a quote in front: authors of DAGs choose texts, and others open the file."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
