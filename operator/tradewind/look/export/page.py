"""A run as a page of HTML without scripts: facts, reasons, graph, Gantt, attempts and excerpts of logs. It opens from a ticket."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind import __version__
from tradewind.look.export.layout import layout
from tradewind.look.export.markup import table, tag, text
from tradewind.look.tasks.columns import NONE, OPEN, STATES, Columns
from tradewind.look.tasks.segments import CAUSES
from tradewind.model import duration
from tradewind.model.duration import stamp
from tradewind.plan import pacing
from tradewind.plan.outcomes.state import State
from tradewind.plan.runs.critical_path import Step

GRAPH = 300
"""Tasks up to which the graph is drawn."""
ROWS = 400
"""Rows of the Gantt and of the table of tasks."""
VALUE = 2_000
"""Characters of a value."""
SIGNS = {
    State.SUCCEEDED: "✔",
    State.FAILED: "✘",
    State.LOST: "✘",
    State.UPSTREAM_FAILED: "⊘",
    State.SKIPPED: "↷",
    State.CANCELLED: "⊘",
    State.RUNNING: "●",
    State.PENDING: "○",
    State.READY: "○",
    State.WAITING: "…",
    State.BLOCKED: "·",
}
FIRST = [State.FAILED, State.LOST, State.RUNNING, State.PENDING, State.WAITING, State.READY, State.UPSTREAM_FAILED]
"""States of rows that are shown first, if not all are."""
STYLE = """
:root{color-scheme:light dark;--fg:#1c2024;--bg:#fff;--dim:#5b6570;--line:#d5dae0;--ok:#1a7f37;--bad:#c4232b;--run:#0969da;--wait:#9a6700}
@media(prefers-color-scheme:dark){:root{--fg:#e6e9ec;--bg:#14181c;--dim:#9aa5b1;--line:#343b43;--ok:#4ac26b;--bad:#ff7b72;--run:#6cb6ff;--wait:#d4a72c}}
body{font:14px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);margin:2rem auto;max-width:1200px;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{color:var(--dim);font-weight:500}pre{overflow:auto;border:1px solid var(--line);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px}
.why{font-size:1.05rem;margin:.5rem 0}.dim{color:var(--dim)}.box{overflow-x:auto}
.Succeeded{color:var(--ok);fill:var(--ok)}.Failed,.Lost,.UpstreamFailed{color:var(--bad);fill:var(--bad)}.Running,.Pending,.Ready{color:var(--run);fill:var(--run)}
.Waiting,.Cancelled,.Skipped,.Blocked,.Queued{color:var(--wait);fill:var(--wait)}
svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg .node{fill:var(--bg);stroke:var(--line)}svg .edge{stroke:var(--dim);fill:none;opacity:.6}
svg .critical{stroke:var(--fg);stroke-width:1.5}svg .wait{fill:var(--wait);opacity:.35}svg .grid{stroke:var(--line)}
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What is shown of a run. Times are epoch seconds."""

    namespace: str
    name: str
    phase: str
    facts: Sequence[tuple[str, str]]
    why: str
    columns: Columns | None
    path: Sequence[Step]
    attempts: Sequence[Sequence[str]]
    """Task, attempt, result, exit code, start, seconds, node."""
    values: Mapping[str, Any]
    """Params, results and outputs by heading."""
    logs: Sequence[tuple[str, str]]
    """Excerpts by task."""
    events: Sequence[str]
    now: float


def page(run: Exported) -> str:
    """The page."""
    title = f"{run.namespace}/{run.name}"
    parts = [
        f"<h1>{text(title)} <span class={run.phase if run.phase.isalpha() else 'Queued'}>{text(run.phase)}</span></h1>",
        f'<p class="why">{text(run.why)}</p>',
        table(["", ""], [[text(label), text(value, VALUE)] for label, value in run.facts]),
    ]
    if run.columns is not None:
        parts += [_graph(run.columns), _gantt(run.columns, run.now), _tasks(run.columns)]
    if run.path:
        rows = [[text(item.task), *map(_long, (item.waited, item.retried, item.ran))] for item in run.path[:ROWS]]
        parts.append(f"<h2>Critical path</h2>{table(['Task', 'Waited', 'Retried', 'Ran'], rows)}")
    if run.attempts:
        heads = ["Task", "Attempt", "Ended as", "Exit", "Started", "Took", "Node"]
        rows = [[text(cell) for cell in row] for row in run.attempts[:ROWS]]
        parts.append(f"<h2>Attempts</h2>{table(heads, rows)}{_more(len(run.attempts), ROWS)}")
    parts += [
        f"<h2>{text(head)}</h2><pre>{text(_json(value), 20_000)}</pre>" for head, value in run.values.items() if value
    ]
    parts += [f"<h2>Log of {text(task)}</h2><pre>{text(lines)}</pre>" for task, lines in run.logs]
    if run.events:
        parts.append(f"<h2>Events</h2><pre>{text(chr(10).join(run.events))}</pre>")
    made = f"Made by tradewind {__version__} at {stamp(run.now)}. Times are in UTC."
    parts.append(f'<p class="dim">{text(made)}</p>')
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}: {text(run.phase)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _long(seconds: int) -> str:
    return text(duration.text(seconds) if seconds else "-")


def _more(count: int, shown: int) -> str:
    return f'<p class="dim">and {count - shown} more</p>' if count > shown else ""


def _states(columns: Columns) -> dict[int, State]:
    """States by place in `names`."""
    return {
        task: State(STATES[state])
        for task, item, state in zip(columns.task, columns.item, columns.state, strict=True)
        if item == NONE
    }


def _graph(columns: Columns) -> str:
    names = columns.shape.names
    if not names or len(names) > GRAPH:
        words = f"{len(names)} tasks: the graph is left out" if names else "no tasks"
        return f'<h2>Graph</h2><p class="dim">{words}</p>'
    wide, high, across, down = 150, 24, 200, 36
    places, states = layout(len(names), columns.shape.edges), _states(columns)
    critical = {columns.task[row] for row in columns.critical}
    parts = []
    edges = columns.shape.edges
    for at in pacing.each(range(0, len(edges), 2)):
        one, other = places[edges[at]], places[edges[at + 1]]
        x1, y1 = one.column * across + wide, one.row * down + high // 2
        x2, y2 = other.column * across, other.row * down + high // 2
        bend = (x1 + x2) // 2
        parts.append(tag("path", {"class": "edge", "d": f"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}"}))
    for place, name in enumerate(pacing.each(names)):
        state, at_ = states[place], places[place]
        x, y = at_.column * across, at_.row * down
        box = {
            "class": "node critical" if place in critical else "node",
            "x": x,
            "y": y,
            "width": wide,
            "height": high,
            "rx": 4,
        }
        sign = tag("tspan", {"class": str(state)}, SIGNS[state])
        label = name if len(name) <= 19 else f"{name[:18]}…"
        words = tag("text", {"x": x + 8, "y": y + 16}, f"{sign} {text(label)}")
        parts.append(tag("g", {}, tag("title", {}, text(f"{name}: {state}")) + tag("rect", box) + words))
    width = (max(place.column for place in places) + 1) * across
    height = (max(place.row for place in places) + 1) * down
    svg = tag(
        "svg", {"width": width, "height": height, "role": "img", "aria-label": "Graph of the tasks"}, "".join(parts)
    )
    return f'<h2>Graph</h2><div class="box">{svg}</div>'


def _shown(columns: Columns) -> list[int]:
    """The rows to show: all, or those that matter."""
    rows = range(len(columns.key))
    if len(rows) <= ROWS:
        return list(rows)
    ranks = {STATES.index(state): place for place, state in enumerate(FIRST)}
    ranked = sorted(rows, key=lambda row: (ranks.get(columns.state[row], len(FIRST)), columns.item[row] != NONE, row))
    return sorted(ranked[:ROWS])


def _gantt(columns: Columns, now: float) -> str:
    rows = [row for row in _shown(columns) if columns.bars[row] or columns.waits[row]]
    if not rows:
        return ""
    open_ = int(now) - columns.epoch
    ends = [second if second != OPEN else open_ for row in rows for second in columns.bars[row]]
    total = max([*ends, 1])
    label, wide, high = 260, 860, 20
    scale = wide / total
    parts = []
    critical = set(columns.critical)
    for line in range(5):
        x = label + wide * line // 4
        parts.append(tag("line", {"class": "grid", "x1": x, "x2": x, "y1": 0, "y2": len(rows) * high + 4}))
        parts.append(
            tag(
                "text",
                {"x": x, "y": len(rows) * high + 18, "text-anchor": "middle"},
                text(duration.text(total * line // 4)),
            )
        )
    for place, row in enumerate(pacing.each(rows)):
        y, key, state = place * high, columns.key[row], State(STATES[columns.state[row]])
        named = f"{key} {columns.label.get(str(row), '')}".strip()
        sign = tag("tspan", {"class": str(state)}, SIGNS[state])
        parts.append(tag("text", {"x": 0, "y": y + 14}, f"{sign} {text(named, 34)}"))
        bars = columns.bars[row]
        parts += _waits(columns, row, label, scale, y)
        for at in range(0, len(bars), 2):
            start, end = bars[at], bars[at + 1] if bars[at + 1] != OPEN else open_
            last = at + 2 >= len(bars)
            look = str(state) if last else "Failed"
            box = {
                "class": f"{look} critical" if row in critical else look,
                "x": round(label + max(0, start) * scale, 1),
                "y": y + 4,
                "width": round(max(1.5, (end - start) * scale), 1),
                "height": high - 8,
                "rx": 2,
            }
            words = f"{key}: attempt {at // 2 + 1}, {duration.text(max(0, end - start))}"
            parts.append(tag("rect", box, tag("title", {}, text(words))))
    size = {"width": label + wide + 40, "height": len(rows) * high + 24}
    svg = tag("svg", {**size, "role": "img", "aria-label": "When each task ran"}, "".join(parts))
    note = '<p class="dim">Pale: waiting, by cause (see the tooltips). Outlined: on the critical path.</p>'
    return f'<h2>Gantt</h2><div class="box">{svg}</div>{note}{_more(len(columns.key), ROWS)}'


def _waits(columns: Columns, row: int, label: int, scale: float, y: int) -> list[str]:
    """The waits before the first attempt, from the end backwards."""
    pairs, bars = columns.waits[row], columns.bars[row]
    if not bars or columns.attempts[row] > 1:
        return []
    parts, at = [], bars[0]
    for place in range(len(pairs) - 2, -1, -2):
        cause, seconds = CAUSES[pairs[place]], pairs[place + 1]
        box = {
            "class": "wait",
            "x": round(label + max(0, at - seconds) * scale, 1),
            "y": y + 8,
            "width": round(seconds * scale, 1),
            "height": 4,
        }
        if cause != "dependencies":
            parts.append(tag("rect", box, tag("title", {}, text(f"{cause}: {duration.text(seconds)}"))))
        at -= seconds
    return parts


def _tasks(columns: Columns) -> str:
    rows = []
    for row in pacing.each(_shown(columns)):
        state = State(STATES[columns.state[row]])
        start, end = columns.start[row], columns.end[row]
        why = columns.whys[columns.why[row]] if columns.why[row] != NONE else ""
        rows.append(
            [
                text(f"{columns.key[row]} {columns.label.get(str(row), '')}".strip()),
                f"<span class={state}>{SIGNS[state]} {state}</span>",
                text(duration.text(end - start) if start is not None and end is not None else ""),
                text(columns.attempts[row] if columns.attempts[row] > 1 else ""),
                text(why),
            ]
        )
    heads = ["Task", "State", "Took", "Attempts", "Why"]
    return f"<h2>Tasks</h2>{table(heads, rows)}{_more(len(columns.key), ROWS)}"
