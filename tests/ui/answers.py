"""Answers of a small world, in the shapes of the routes: two namespaces, a nightly forecast, what fails and what waits."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STATES = [
    "Blocked",
    "Ready",
    "Waiting",
    "Pending",
    "Running",
    "Succeeded",
    "Failed",
    "Lost",
    "Skipped",
    "UpstreamFailed",
    "Cancelled",
]
CAUSES = ["dependencies", "back-off", "parallelism", "pool", "quota", "person", "scheduling", "image"]
CODE = {state: index for index, state in enumerate(STATES)}
FORECAST = [
    ("calendar", "pod", [], ""),
    ("extract-hr", "pod", [], "extract"),
    ("extract-leave", "pod", [], "extract"),
    ("warehouse-ready", "sensor", [], "extract"),
    ("check-schema", "pod", ["extract-hr", "extract-leave"], "extract"),
    ("regions", "http", ["warehouse-ready"], ""),
    ("features", "pod", ["calendar", "check-schema", "regions"], "model"),
    ("train", "pod", ["features"], "model"),
    ("evaluate", "pod", ["train"], "model"),
    ("sign-off", "approval", ["evaluate"], ""),
    ("publish", "pod", ["sign-off"], ""),
    ("report", "dag", ["evaluate"], ""),
    ("clean-up", "pod", ["publish", "report"], ""),
]
"""A task's name, kind, dependencies and group."""
DAGS = [
    (
        "people",
        "leave-forecast",
        "Absences of the next six weeks, trained each night from the HR system.",
        "team-people",
    ),
    ("people", "headcount", "Headcount by region and month.", "team-people"),
    ("people", "payroll-check", "", "team-people"),
    ("shop", "orders-hourly", "Orders of the last hour into the warehouse.", "shop-data"),
    ("shop", "stock-sync", "Stock levels from 42 stores, one item a store.", "shop-data"),
    ("shop", "ab-report", "Results of running experiments.", ""),
]


class World:
    """What the routes answer. `text` changes every string that comes from outside: the hostile corpus goes in there."""

    def __init__(self, text: Callable[[str], str] = str, items: int = 24, now: float | None = None) -> None:
        self.text = text
        self.items = items
        self.now = int((time.time() if now is None else now) * 1000)
        self.log_is = "complete"
        self.empty = False
        self.runs = self._runs()

    def _runs(self) -> list[dict[str, Any]]:
        dice = random.Random(7)
        runs = []
        for number, (namespace, dag, _, _) in enumerate(DAGS):
            length = (1900, 400, 90, 240, 1300, 700)[number]
            for back in range(25):
                age = back * (DAY if number != 3 else HOUR) + (21, 10, 17, 24, 31, 38)[number] * MINUTE
                seconds = max(3.0, dice.gauss(length, length / 6))
                phase = "Failed" if dice.random() < (0.22 if number == 2 else 0.07) else "Succeeded"
                if back == 0:
                    phase = ("Running", "Succeeded", "Failed", "Running", "Running", "Queued")[number]
                live = phase in ("Running", "Queued")
                tasks = (37, 6, 4, 5, 44, 8)[number]
                started = None if phase == "Queued" else self.now - age + 4_000
                done = round(tasks * 0.6) if phase == "Running" else 0 if live else tasks - (phase == "Failed")
                runs.append(
                    {
                        "namespace": namespace,
                        "name": self.text(f"{dag}-{28_400_000 - number * 999 - back * 1440}"),
                        "uid": f"{number}-{back}",
                        "dag": self.text(dag),
                        "phase": phase,
                        "created": self.now - age,
                        "started": started,
                        "finished": None if live or started is None else int(started + seconds * 1000),
                        "seconds": None if live else round(seconds),
                        "how": "manual" if dice.random() < 0.15 else "schedule",
                        "maker": self.text("nightly"),
                        "why": self.text(WHY.get((number, phase), WHY_FAILED if phase == "Failed" else "")),
                        "progress": {
                            "done": done,
                            "total": tasks,
                            "failed": 1 if phase == "Failed" else 2 if number == 4 and live else 0,
                            "running": 5 if phase == "Running" else 0,
                        },
                        "logicalDate": self.now - age - age % HOUR,
                        "by": self.text("ada@example.org"),
                        "suspended": False,
                        "stopping": False,
                    }
                )
        return sorted(runs, key=lambda run: -run["created"])

    def answer(self, parts: list[str], query: Mapping[str, str]) -> Any:
        """The answer of GET on a path under /api/v1, in its segments, or None."""
        head = parts[0].replace(".", "_")
        found = getattr(self, f"get_{head}", None)
        return None if found is None else found(parts[1:], query)

    def act(self, parts: list[str], body: dict[str, Any]) -> Any:
        """The answer of POST; a string is a problem."""
        text = self.text
        if parts[-1] == "actions":
            return {
                "done": False,
                "affected": [
                    text("extract-leave: runs again"),
                    text("features: runs again"),
                    text("train[3]: is stopped"),
                ],
                "lost": [text("outputs of features: rows")],
                "words": text("3 tasks run again, 1 of them is stopped"),
                "version": "77",
                "command": f"kubectl tradewind {body['action']} {parts[2]} -n {parts[1]}",
                "yaml": text("spec:\n  desiredState: Cancelled\n"),
            }
        if parts[-1] == "runs":
            if body.get("params", {}).get("horizon") == 0:
                return "spec.params.horizon: 0 is less than the minimum of 1"
            return {
                "run": text(f"{parts[2]}-by-hand"),
                "command": f"kubectl tradewind run {parts[2]} -n {parts[1]}",
                "yaml": text("apiVersion: tradewind.dev/v1alpha1\nkind: DAGRun\n"),
                "problems": [],
                "notes": [],
            }
        if not isinstance(body.get("inputs", {}).get("rows", 0), int):
            return "rows: it is not an integer"
        return {"done": False, "outcome": "Approved", "command": "kubectl tradewind approve", "yaml": ""}

    def log(self, path: str) -> list[str]:
        """The lines of an attempt."""
        text = self.text
        plain = [
            "2026-11-30T02:00:04Z INFO  connecting to hr.example.org:5432 as forecast",
            "::group::Reading leave",
            "2026-11-30T02:00:05Z INFO  42 regions, 1,204 rows each",
            "\x1b[32mok\x1b[0m   region north   1,204 rows   0.8 s",
            "\x1b[32mok\x1b[0m   region south   1,198 rows   0.7 s",
            "\x1b[33mslow\x1b[0m region west    1,201 rows   9.4 s",
            "::endgroup::",
            "2026-11-30T02:00:19Z WARNING 3 rows without an end date are left out",
            " 10 %\r 50 %\r100 % written",
            '2026-11-30T02:00:22Z ERROR region east: relation "leave_2027" does not exist',
            "see https://wiki.example.org/leave#east",
        ]
        more = [f"2026-11-30T02:00:{23 + n // 20:02d}Z INFO  batch {n} of 400: 512 rows" for n in range(400)]
        return [text(line) for line in plain] + more

    def get_me(self, parts: list[str], query: Mapping[str, str]) -> Any:
        rights = {
            "dagruns": ["create", "patch", "delete"],
            "approvals": ["patch"],
            "pods": ["get", "list"],
            "pods/log": ["get"],
        }
        return {
            "user": self.text("ada@example.org"),
            "groups": [],
            "cluster": self.text("prod-eu"),
            "mode": "kubeconfig",
            "namespaces": ["people", "shop"],
            "namespace": "",
            "version": "0.1.0",
            "can": {"people": rights, "shop": rights},
            "problems": [],
        }

    def get_overview(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        chosen = query.get("namespace")
        if self.empty:
            counts = {"running": 0, "queued": 0, "failed24H": 0, "succeeded24H": 0}
            return {"needs": [], "needsTotal": 0, "running": [], "waiting": [], "dags": [], "counts": counts}
        runs = [run for run in self.runs if not chosen or run["namespace"] == chosen]
        rows = []
        for number, (namespace, dag, description, owner) in enumerate(DAGS):
            own = [run for run in self.runs if run["dag"] == text(dag)]
            ended = [run for run in own if run["seconds"]]
            if chosen and namespace != chosen:
                continue
            rows.append(
                {
                    "namespace": namespace,
                    "name": text(dag),
                    "suspended": number == 5,
                    "invalid": text("spec.tasks[2].dependsOn: there is no task comprae") if number == 2 else "",
                    "active": sum(run["seconds"] is None for run in own),
                    "owner": text(owner),
                    "description": text(description),
                    "schedule": text(("0 2 * * *", "0 4 * * *", "", "0 * * * *", "*/30 * * * *", "@weekly")[number]),
                    "next": None if number == 2 else self.now + (number + 1) * 47 * MINUTE,
                    "latest": [
                        {key: run[key] for key in ("name", "phase", "created", "seconds")} for run in reversed(own)
                    ],
                    "success": sum(run["phase"] == "Succeeded" for run in ended) / max(1, len(ended)),
                    "p50": sorted(run["seconds"] for run in ended)[len(ended) // 2],
                    "p95": max(run["seconds"] for run in ended),
                }
            )
        return {
            "needsTotal": 3,
            "needs": [
                {
                    "kind": "approval",
                    "namespace": "people",
                    "name": text("leave-forecast-sign-off"),
                    "run": next(run["name"] for run in self.runs if run["dag"] == text("leave-forecast")),
                    "dag": text("leave-forecast"),
                    "text": text("Publish the forecast? Error 3.1 %, last week 2.9 %"),
                    "since": self.now - 12 * MINUTE,
                },
                {
                    "kind": "failed",
                    "namespace": "people",
                    "name": next(run["name"] for run in self.runs if run["phase"] == "Failed"),
                    "run": next(run["name"] for run in self.runs if run["phase"] == "Failed"),
                    "dag": text("payroll-check"),
                    "text": text("compare failed: exit code 3 (sums differ by 12.40)"),
                    "since": self.now - 50 * MINUTE,
                },
                {
                    "kind": "invalid",
                    "namespace": "people",
                    "name": text("payroll-check"),
                    "run": "",
                    "dag": text("payroll-check"),
                    "text": text("spec.tasks[2].dependsOn: there is no task comprae; did you mean compare?"),
                    "since": self.now - 3 * HOUR,
                },
            ],
            "running": [run for run in runs if run["phase"] in ("Running", "Queued")],
            "waiting": [
                {
                    "cause": cause,
                    "tasks": tasks,
                    "longest": longest,
                    "namespace": self.runs[0]["namespace"],
                    "run": self.runs[0]["name"],
                    "task": text("train[13]"),
                    "since": self.now - longest * 1000,
                }
                for cause, tasks, longest in (
                    ("pool", 14, 611),
                    ("person", 1, 720),
                    ("timer", 1, 12),
                    ("scheduling", 2, 95),
                    ("back-off", 2, 40),
                )
            ],
            "dags": rows,
            "counts": {"running": 3, "queued": 1, "failed24H": 2, "succeeded24H": 61},
        }

    def get_runs(self, parts: list[str], query: Mapping[str, str]) -> Any:
        if not parts:
            return self._run_list(query)
        run = next((run for run in self.runs if [run["namespace"], run["name"]] == parts[:2]), None)
        if run is None:
            return None
        rest = parts[2:]
        if not rest:
            return self._run(run)
        if rest == ["tasks"]:
            return self.columns(run)
        if rest[0] == "tasks":
            return self._task("/".join(rest[1:]), run)
        if rest == ["waits"]:
            return self._waits()
        if rest == ["path"]:
            return {"rows": self.columns(run)["critical"], "seconds": 1780}
        return None

    def _run_list(self, query: Mapping[str, str]) -> Any:
        if self.empty:
            return {"runs": [], "next": None, "more": False}
        limit = int(query.get("limit", "50"))
        found = [
            run
            for run in self.runs
            if query.get("namespace", run["namespace"]) == run["namespace"]
            and query.get("dag", run["dag"]) == run["dag"]
            and query.get("phase", run["phase"]) == run["phase"]
            and query.get("text", "") in run["name"]
            and run["created"] < float(query.get("after", "inf"))
        ]
        more = len(found) > limit
        return {"runs": found[:limit], "next": str(found[limit - 1]["created"]) if more else None, "more": more}

    def _run(self, run: dict[str, Any]) -> Any:
        text = self.text
        live = run["phase"] in ("Running", "Queued")
        return {
            "run": {
                **run,
                "message": run["why"],
                "revision": "leave-forecast-6f9c7d",
                "revisionNumber": 14,
                "note": "",
                "reason": text("figures of October were late"),
                "cause": text("nightly at 02:00"),
                "calledBy": None,
                "version": "77",
                "managedBy": text("Argo CD"),
                "params": {
                    text("horizon"): 42,
                    text("regions"): [text("north"), text("south"), text("west"), text("east")],
                    text("dry"): False,
                    text("note"): text("nightly"),
                },
                "results": {}
                if run["phase"] == "Failed"
                else {text("error"): 0.031, text("model"): text("s3://models/leave/2026-11-30")},
                "conditions": [
                    {
                        "type": "Started",
                        "status": "True",
                        "reason": "Started",
                        "message": text("revision 14 of leave-forecast"),
                        "since": run["started"],
                    }
                ],
                "labels": {text("tier"): text("gold")},
                "edits": [
                    {
                        "action": "Clear",
                        "tasks": [text("features")],
                        "by": text("ada@example.org"),
                        "reason": text("new columns"),
                        "applied": True,
                    }
                ],
                "failures": [
                    {
                        "task": text("extract-leave"),
                        "attempt": 1,
                        "reason": "Error",
                        "exitCode": 3,
                        "message": text('relation "leave_2027" does not exist'),
                    }
                ],
                "yaml": text(YAML),
                "events": [
                    {
                        "type": "Warning",
                        "reason": "TaskFailed",
                        "message": text("extract-leave failed: exit code 3; attempt 2 in 20 s"),
                        "count": 2,
                        "at": self.now - 20 * MINUTE,
                        "object": text(run["name"]),
                    }
                ],
            },
            "can": {
                "cancel": live,
                "terminate": live,
                "suspend": live,
                "resume": False,
                "retry": run["phase"] == "Failed",
                "delete": not live,
            },
            "partial": None,
        }

    def columns(self, run: dict[str, Any]) -> dict[str, Any]:
        """The tasks of a run; `regions` and `train` are fanned out."""
        dice = random.Random(3)
        text = self.text
        live = run["phase"] == "Running"
        names = [name for name, _, _, _ in FORECAST]
        begin = run["started"] or run["created"]
        ends: dict[str, int] = {}
        rows: list[tuple[Any, ...]] = []
        whys = ["", *map(text, TASK_WHY.values())]
        for index, (name, kind, needs, _) in enumerate(FORECAST):
            count = self.items if name == "train" else 4 if name == "regions" else 0
            ready = max([ends[need] for need in needs], default=begin)
            state, end, why = "Succeeded", ready + 3 * MINUTE, 0
            if run["phase"] == "Failed" and name == "extract-leave":
                state, why = "Failed", 1
            elif run["phase"] == "Failed" and index > 3:
                state = "UpstreamFailed" if index > 4 else "Succeeded"
            elif live and name == "train":
                state, why = "Running", 2
            elif live and index > 7:
                state, why = "Blocked", 3
            waits = [0, round((ready - begin) / 1000)] if needs else []
            parts = []
            for item in range(count):
                wait = [7, 4] if item < 6 else [3, 30 + item * 4, 6, 3]
                start = ready + sum(wait[1::2]) * 1000
                seconds = round(abs(dice.gauss(150, 60)) + 10)
                inner, stop, reason = "Succeeded", start + seconds * 1000, 0
                if state == "UpstreamFailed":
                    inner, start, stop = "UpstreamFailed", None, None
                elif live and name == "train":
                    at = item / count
                    inner = "Failed" if item == 3 else "Succeeded" if at < 0.3 else "Running" if at < 0.55 else "Ready"
                    reason = 4 if item == 3 else 5 if inner == "Ready" else 0
                    if inner in ("Running", "Ready"):
                        stop = None
                    if inner == "Ready":
                        start = None
                parts.append(
                    (
                        f"{name}[{item}]",
                        index,
                        item,
                        kind,
                        inner,
                        start,
                        stop,
                        2 if item in (3, 5) else 1,
                        0,
                        reason,
                        wait,
                    )
                )
            start = ready + 6_000 if state not in ("Blocked", "UpstreamFailed") else None
            if count and start is not None:
                end = max([part[6] or self.now for part in parts])
            elif start is None:
                end = ready
            elif kind == "approval":
                end = ready + 9 * MINUTE
                waits = [*waits, 5, 500]
            else:
                end = ready + round(abs(dice.gauss(4, 2)) + 0.5) * MINUTE
                if kind == "pod":
                    waits = [*waits, *dice.choice([[6, 4], [7, 18], [6, 2, 7, 9], [3, 75]])]
            ends[name] = end if start is not None else ready
            attempts = 3 if name == "extract-leave" else 1 if start is not None else 0
            done = state in ("Succeeded", "Failed")
            rows.append(
                (
                    name,
                    index,
                    -1,
                    kind,
                    state,
                    start,
                    end if done else None,
                    attempts,
                    int(name == "features"),
                    why,
                    waits,
                )
            )
            rows.extend(parts)
        on_path = ("extract-leave", "check-schema", "features", "train", "evaluate", "sign-off", "publish")
        needs = [(names.index(need), index) for index, (_, _, needs, _) in enumerate(FORECAST) for need in needs]
        where = {"": -1, "extract": 0, "model": 1}
        return {
            "n": len(rows),
            "version": "1",
            "partial": None,
            "key": [text(row[0]) for row in rows],
            "names": [text(name) for name in names],
            "task": [row[1] for row in rows],
            "item": [row[2] for row in rows],
            "label": {str(at): text(f"region {row[2]}") for at, row in enumerate(rows) if row[2] >= 0},
            "kinds": [kind for _, kind, _, _ in FORECAST],
            "fan": [name in ("train", "regions") for name in names],
            "state": [CODE[row[4]] for row in rows],
            "states": STATES,
            "start": [row[5] for row in rows],
            "end": [row[6] if row[5] else None for row in rows],
            "attempts": [row[7] for row in rows],
            "losses": [row[8] for row in rows],
            "bars": [self._bars(row, begin) for row in rows],
            "epoch": begin,
            "why": [row[9] - 1 for row in rows],
            "whys": whys[1:],
            "waits": [row[10] for row in rows],
            "causes": CAUSES,
            "since": [self.now - 90_000 if row[4] == "Ready" else None for row in rows],
            "edges": [end for pair in needs for end in pair],
            "critical": [at for at, row in enumerate(rows) if row[0] in on_path],
            "group": [where[group] for _, _, _, group in FORECAST],
            "groups": [text("extract"), text("model")],
        }

    def _bars(self, row: tuple[Any, ...], begin: int) -> list[int]:
        """Start and end of each attempt, in seconds from the run's beginning."""
        start, end, attempts = row[5], row[6], row[7]
        if start is None:
            return []
        first = (start - begin) // 1000
        last = -1 if end is None else (end - begin) // 1000
        if attempts < 2:
            return [first, last]
        until = (self.now - begin) // 1000 if last < 0 else last
        third = max(1, (until - first) // (attempts * 2))
        early = [at for n in range(attempts - 1) for at in (first + n * 2 * third, first + (n * 2 + 1) * third)]
        return [*early, first + (attempts - 1) * 2 * third, last]

    def _task(self, key: str, run: dict[str, Any]) -> Any:
        text = self.text
        base = self.now - 30 * MINUTE
        failed = run["phase"] == "Failed"
        attempts = [
            {
                "number": 1,
                "state": "Failed",
                "reason": "Error",
                "podExists": False,
                "counts": True,
                "message": text('exit code 3: relation "leave_2027" does not exist'),
                "exitCode": 3,
                "started": base,
                "finished": base + 22_000,
                "node": text("node-b"),
                "pod": text("leave-forecast-extract-leave-1"),
                "budget": "failure",
                "waits": [["scheduling", 3], ["image", 14]],
            },
            {
                "number": 2,
                "state": "Lost",
                "reason": "Evicted",
                "podExists": False,
                "counts": True,
                "message": text("the node was low on memory"),
                "exitCode": None,
                "started": base + 60_000,
                "finished": base + 95_000,
                "node": text("node-c"),
                "pod": text("leave-forecast-extract-leave-2"),
                "budget": "loss",
                "waits": [["back-off", 20], ["pool", 18]],
            },
            {
                "number": 3,
                "state": "Failed" if failed else "Succeeded",
                "reason": "",
                "podExists": True,
                "counts": True,
                "message": "",
                "exitCode": 3 if failed else 0,
                "started": base + 120_000,
                "finished": base + 300_000,
                "node": text("node-a"),
                "pod": text("leave-forecast-extract-leave-3"),
                "budget": "failure" if failed else None,
                "waits": [["pool", 25]],
            },
        ]
        return {
            "key": key,
            "task": key.split("[")[0],
            "kind": "pod",
            "description": text("Reads who is absent, and when."),
            "item": None,
            "dependsOn": [text("calendar")],
            "neededBy": [text("check-schema")],
            "state": "Failed" if failed else "Succeeded",
            "why": {
                "cause": "",
                "sentence": text(TASK_WHY["extract-leave"]),
                "evidence": [
                    {"kind": "exit", "text": text("exit code 3 of the container main")},
                    {"kind": "event", "text": text("BackOff: restarting failed container")},
                    {"kind": "condition", "text": text("ContainersReady=False")},
                ],
                "todo": text("Read the log of the last attempt, fix the cause, then retry: kubectl tradewind retry"),
            },
            "attempts": attempts,
            "budgets": {"failures": {"used": 2, "limit": 3}, "losses": {"used": 1, "limit": 10}},
            "inputs": [
                {"name": text("REGION"), "expression": text("${{ item.name }}"), "value": text("north"), "problem": ""},
                {
                    "name": text("SINCE"),
                    "expression": text("${{ run.logicalDate }}"),
                    "value": "2026-11-30T02:00:00Z",
                    "problem": "",
                },
                {
                    "name": text("LIMIT"),
                    "expression": text("${{ params.horizon * 100 }}"),
                    "value": None,
                    "problem": text("params.horizon is null"),
                },
            ],
            "outputs": {text("rows"): 4804, text("path"): text("s3://lake/leave/2026-11-30.parquet")},
            "artifacts": [{"name": text("leave"), "direction": "out", "place": text("s3://lake/leave.parquet")}],
            "manifest": text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: leave-forecast-extract-leave-3\n"),
            "pod": {
                "name": text("leave-forecast-extract-leave-3"),
                "phase": "Failed",
                "node": text("node-a"),
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "True",
                        "reason": "",
                        "message": "",
                        "since": base + 120_000,
                    },
                    {
                        "type": "Ready",
                        "status": "False",
                        "reason": "ContainersNotReady",
                        "message": text("containers with unready status: [main]"),
                        "since": base + 121_000,
                    },
                ],
                "events": [
                    {
                        "type": "Normal",
                        "reason": "Pulled",
                        "message": text("Container image already present on machine"),
                        "count": 1,
                        "at": base + 121_000,
                        "object": text("pod"),
                    }
                ],
            },
            "links": [],
        }

    def _waits(self) -> Any:
        text = self.text
        run = self.runs[0]
        steps = [
            (
                text("publish waits for sign-off"),
                {"kind": "task", "namespace": run["namespace"], "name": text("sign-off")},
            ),
            (text("sign-off waits for evaluate"), None),
            (text("evaluate waits for train, of which 10 items wait for pool gpu"), None),
            (
                text("pool gpu: 8 of 8 slots are held, 6 by train of this run, 2 by stock-sync"),
                {"kind": "pool", "namespace": "people", "name": text("gpu")},
            ),
        ]
        chain = [{"text": words, "link": link} for words, link in steps]
        row = {"cause": "pool", "since": self.now - 90_000, "until": None}
        return {
            "tasks": [
                {"key": text("publish"), "chain": chain, **row, "cause": "dependencies"},
                {"key": text("train[14]"), "chain": chain[3:], **row},
            ],
            "total": 14,
        }

    def get_dags(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        if not parts:
            return {"dags": self.get_overview([], query)["dags"]}
        dag = next((row for row in DAGS if [row[0], text(row[1])] == parts[:2]), None)
        if dag is None:
            return None
        rest = parts[2:]
        if not rest:
            return self._dag(dag)
        runs = [run for run in self.runs if run["dag"] == text(dag[1])]
        if rest == ["grid"]:
            return self.grid(runs, int(query.get("runs", "25")))
        if rest == ["graph"]:
            columns = self.columns(runs[-1])
            same = ("names", "kinds", "fan", "edges", "group", "groups")
            calls = [text("ab-report") if kind == "dag" else "" for kind in columns["kinds"]]
            return {**{key: columns[key] for key in same}, "calls": calls}
        if rest == ["form"]:
            return {
                "params": self._params(),
                "suspended": False,
                "invalid": "",
                "account": text("forecast"),
                "author": text("argocd-controller"),
            }
        if rest == ["trend"]:
            ended = [run for run in reversed(runs) if run["seconds"]]
            return {
                "names": [run["name"] for run in ended],
                "created": [run["created"] for run in ended],
                "seconds": [run["seconds"] for run in ended],
                "waited": [4 + at % 5 * 9 for at in range(len(ended))],
                "phases": [run["phase"] for run in ended],
            }
        if rest[0] == "revisions":
            number = int(rest[1])
            changed = text(YAML).replace("2.4", f"2.{number - 10}").replace("90", "60" if number < 14 else "90")
            return {"number": number, "name": f"leave-forecast-{number}", "yaml": changed}
        return None

    def _params(self) -> list[dict[str, Any]]:
        text = self.text
        base: dict[str, Any] = {
            "title": "",
            "description": "",
            "default": None,
            "enum": [],
            "min": None,
            "max": None,
            "pattern": "",
            "items": "",
            "secret": False,
            "required": False,
            "nullable": False,
            "section": "",
            "examples": [],
        }
        return [
            {
                **base,
                "name": "horizon",
                "type": "integer",
                "title": text("Horizon"),
                "description": text("Days to look ahead."),
                "default": 42,
                "min": 1,
                "max": 90,
            },
            {
                **base,
                "name": "model",
                "type": "string",
                "default": text("linear"),
                "enum": [text("linear"), text("trees")],
            },
            {**base, "name": "dry", "type": "boolean", "default": False, "description": text("Publish nothing.")},
            {
                **base,
                "name": "regions",
                "type": "list",
                "items": "string",
                "default": [text("north"), text("south")],
                "section": text("Scope"),
            },
            {**base, "name": "token", "type": "string", "secret": True, "nullable": True, "section": text("Scope")},
            {**base, "name": "note", "type": "string", "required": True, "pattern": "^[a-z ]+$"},
        ]

    def grid(self, runs: list[dict[str, Any]], count: int) -> Any:
        """Runs by tasks."""
        chosen = list(reversed(runs[:count]))
        dice = random.Random(5)
        rows = []
        for run in chosen:
            columns = self.columns(run)
            states = [columns["state"][at] for at, item in enumerate(columns["item"]) if item == -1]
            if run["phase"] == "Succeeded" and dice.random() < 0.2:
                states[-3] = CODE["Skipped"]
            rows.append(states)
        return {
            "runs": [
                {
                    "name": run["name"],
                    "phase": run["phase"],
                    "created": run["created"],
                    "seconds": run["seconds"],
                    "uid": run["uid"],
                    "revision": 14 if at > 12 else 13,
                    "how": run["how"],
                    "logicalDate": run["logicalDate"],
                }
                for at, run in enumerate(chosen)
            ],
            "tasks": [self.text(name) for name, _, _, _ in FORECAST],
            "cells": rows,
            "states": STATES,
            "failed": {},
            "next": None,
        }

    def _dag(self, dag: tuple[str, str, str, str]) -> Any:
        text = self.text
        return {
            "dag": {
                "namespace": dag[0],
                "name": text(dag[1]),
                "description": text(dag[2]),
                "owner": text(dag[3]),
                "suspended": dag[1] == "ab-report",
                "invalid": [text("spec.tasks[2].dependsOn: there is no task comprae; did you mean compare?")]
                if dag[1] == "payroll-check"
                else [],
                "tasks": len(FORECAST),
                "managedBy": "",
                "version": "5",
                "calls": [],
                "params": self._params(),
                "schedule": [{"trigger": text("nightly"), "next": self.now + 47 * MINUTE}],
                "yaml": text(YAML),
                "revision": 14,
            },
            "partial": None,
            "revisions": [
                {
                    "number": 14 - back,
                    "hash": f"6f9c7d{back}",
                    "at": self.now - back * 9 * DAY,
                    "cause": text(("longer horizon", "retries of extract", "first")[back]),
                    "current": back == 0,
                }
                for back in range(3)
            ],
            "triggers": self.get_triggers([], {})["triggers"][:1],
        }

    def get_approvals(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        asking = next(run["name"] for run in self.runs if run["dag"] == text("leave-forecast"))
        return {
            "approvals": []
            if self.empty or query.get("run", asking) != asking
            else [
                {
                    "namespace": "people",
                    "name": text("leave-forecast-sign-off"),
                    "run": asking,
                    "task": text("sign-off"),
                    "dag": text("leave-forecast"),
                    "message": text("Publish the forecast? Error 3.1 %, last week 2.9 %"),
                    "since": self.now - 12 * MINUTE,
                    "deadline": self.now + 5 * HOUR,
                    "outcome": "Pending",
                    "by": "",
                    "comment": "",
                    "can": True,
                    "inputs": [
                        {
                            "name": "audience",
                            "type": "string",
                            "title": text("Audience"),
                            "description": text("Who gets the report."),
                            "default": text("all"),
                            "enum": [text("all"), text("leads")],
                            "required": True,
                        },
                        {
                            "name": "rows",
                            "type": "integer",
                            "title": text("Rows"),
                            "description": "",
                            "default": None,
                            "enum": [],
                            "required": False,
                        },
                    ],
                }
            ]
        }

    def get_triggers(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        rows = [
            {
                "namespace": namespace,
                "name": text(name),
                "dag": text(dag),
                "source": source,
                "description": text(schedule),
                "phase": "Suspended" if name == "weekly" else "Active",
                "suspended": name == "weekly",
                "next": self.now + minutes * MINUTE if minutes else None,
                "lastAt": self.now - 40 * MINUTE,
                "lastRun": next(run["name"] for run in self.runs if run["dag"] == text(dag)),
                "message": text(message),
            }
            for namespace, name, dag, source, schedule, minutes, message in [
                ("people", "nightly", "leave-forecast", "schedule", "0 2 * * *", 47, ""),
                ("people", "after-hr", "headcount", "assets", "hr/people", 0, "waits for asset hr/people"),
                ("shop", "hourly", "orders-hourly", "schedule", "0 * * * *", -1, ""),
                ("shop", "weekly", "ab-report", "schedule", "@weekly", 0, "suspended after 3 failures in a row"),
            ]
        ]
        return {"triggers": [] if self.empty else rows}

    def get_backfills(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        row = {
            "namespace": "shop",
            "name": text("orders-october"),
            "dag": text("orders-hourly"),
            "start": "2026-10-01",
            "end": "2026-10-31",
            "suspended": False,
            "phase": "Running",
            "total": 744,
            "done": 511,
            "failed": 4,
            "active": 8,
            "created": self.now - 5 * HOUR,
            "message": "",
        }
        return {"backfills": [] if self.empty else [row]}

    def get_pools(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        run = self.runs[0]["name"]
        pool = {
            "kind": "Pool",
            "description": text("GPUs of the training nodes"),
            "waiting": 5,
            "namespace": "people",
            "name": text("gpu"),
            "slots": 8,
            "used": 8,
            "holders": [
                {
                    "namespace": "people",
                    "run": run,
                    "task": text(f"train[{n}]"),
                    "slots": 1,
                    "since": self.now - n * MINUTE,
                }
                for n in range(8)
            ],
            "queue": [
                {
                    "namespace": "people",
                    "run": run,
                    "task": text(f"train[{n + 13}]"),
                    "since": self.now - n * MINUTE,
                    "why": text("its turn is after 8 holders" if n else "next: the first slot that is free"),
                }
                for n in range(5)
            ],
        }
        free = {
            **pool,
            "name": text("warehouse"),
            "slots": 10,
            "used": 2,
            "waiting": 0,
            "queue": [],
            "holders": pool["holders"][:2],
        }
        return {"pools": [] if self.empty else [pool, free], "partial": None}

    def get_assets(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        links = [
            ("hr/people", ["headcount"], ["leave-forecast"]),
            ("hr/leave", [], ["leave-forecast"]),
            ("forecast/leave", ["leave-forecast"], ["ab-report"]),
            ("orders", ["orders-hourly"], ["ab-report", "stock-sync"]),
            ("stock", ["stock-sync"], []),
        ]
        rows = [
            {
                "namespace": "people",
                "name": text(name),
                "partition": "",
                "at": self.now - (n + 1) * 3 * HOUR,
                "dag": text(producers[0]) if producers else "",
                "run": self.runs[n]["name"] if producers else "",
                "task": text("publish") if producers else "",
                "metadata": {text("rows"): 1204 * n},
            }
            for n, (name, producers, _) in enumerate(links)
        ]
        edges = [
            {"namespace": "people", "asset": text(name), "dag": text(dag), "direction": direction, "trigger": trigger}
            for name, producers, consumers in links
            for direction, dags, trigger in (("produces", producers, ""), ("starts", consumers, text("after")))
            for dag in dags
        ]
        return {"assets": [] if self.empty else rows, "edges": [] if self.empty else edges}

    def get_search(self, parts: list[str], query: Mapping[str, str]) -> Any:
        wanted = query.get("q", "")
        hits = [
            {"kind": "dag", "namespace": namespace, "name": self.text(name), "text": self.text(description)}
            for namespace, name, description, _ in DAGS
            if wanted in name
        ]
        hits += [
            {"kind": "run", "namespace": run["namespace"], "name": run["name"], "text": run["phase"]}
            for run in self.runs
            if wanted in run["name"]
        ]
        return {"hits": hits[:20]}

    def get_health(self, parts: list[str], query: Mapping[str, str]) -> Any:
        text = self.text
        return {
            "findings": [
                {
                    "check": "operator",
                    "level": "ok",
                    "text": text("operator 0.1.0 leads; last heard 2 s ago"),
                    "todo": "",
                },
                {
                    "check": "dags",
                    "level": "warning",
                    "text": text("people/payroll-check has been invalid for 3 h"),
                    "todo": text("kubectl tradewind describe dag payroll-check -n people"),
                },
                {
                    "check": "webhook",
                    "level": "problem",
                    "text": text("the webhook's certificate ends in 2 days"),
                    "todo": text("restart the webhook, or see docs/admission.md"),
                },
            ]
        }


WHY_FAILED = "extract-leave failed: exit code 3 in attempt 3 of 3"
WHY = {
    (0, "Running"): "train waits for pool gpu: 8 of 8 slots are held, 2 by stock-sync",
    (2, "Failed"): "compare failed: exit code 3 (sums differ by 12.40)",
    (3, "Running"): "settle: waits until 2026-12-01T11:58:25Z",
    (4, "Running"): "2 items of sync failed and are retried in 20 s",
    (5, "Queued"): "maxActiveRuns is 1 and ab-report-1 is active",
}
TASK_WHY = {
    "extract-leave": 'Failed: exit code 3 in attempt 3 of 3; the log ends with: relation "leave_2027" does not exist',
    "train": "10 of 24 items wait for pool gpu: 8 of 8 slots are held",
    "blocked": "waits for train",
    "item": "Failed: exit code 137, out of memory (limit 2Gi) in attempt 2 of 3",
    "ready": "waits for pool gpu: 8 of 8 slots are held",
}
YAML = """\
apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata:
  name: leave-forecast
  namespace: people
spec:
  description: Absences of the next six weeks.
  params:
    horizon: {type: integer, default: 42, minimum: 1, maximum: 90}
  tasks:
    - name: extract-leave
      image: registry.example.org/forecast:2.4
      retries: {failures: 3, losses: 10}
"""
