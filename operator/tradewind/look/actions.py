"""What people do with runs: which tasks it affects, and the change that does it. The same for the command line and the server."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.kube.client import Client, Object
from tradewind.look.run_rows import Row
from tradewind.look.whoami import CANCELLED, RETRIED, signed
from tradewind.model.shown import counted
from tradewind.plan.outcomes.state import FINAL, LIVE, State

AGAIN = (State.FAILED, State.LOST, State.UPSTREAM_FAILED, State.CANCELLED)
DESIRED = {"cancel": "Cancelled", "terminate": "Terminated", "suspend": "Suspended", "resume": "Running"}
"""spec.desiredState by action."""


class NotPossible(Exception):
    """An action that makes no sense now. The message says why, and what to do instead."""


def tried_again(run: Run, found: Sequence[Row]) -> list[Row]:
    """The tasks and items that a retry of a run tries again. Raises NotPossible."""
    if run.phase == "Succeeded" or not found:
        raise NotPossible(f"nothing to retry: dagrun/{run.name} is {run.phase or 'Queued'}")
    if run.cancelled:
        words = f"dagrun/{run.name} was stopped (spec.desiredState: {run.desired})"
        raise NotPossible(f"{words}: `tradewind rerun {run.name}` starts another run that reuses its results")
    groups = {row.task.partition("[")[0] for row in found if "[" in row.task}
    again = [row for row in found if row.state in AGAIN and row.task not in groups]
    if not again:
        raise NotPossible(f"nothing to retry: no task of dagrun/{run.name} has failed")
    return again


def possible(action: str, run: Run) -> None:
    """Raises NotPossible for what a run can't be asked now."""
    if action in ("retry", "delete"):
        return
    if run.final:
        raise NotPossible(f"dagrun/{run.name} has ended: {run.phase}")
    if run.cancelled and not (action == "terminate" and run.desired == "Cancelled"):
        raise NotPossible(f"dagrun/{run.name} is being stopped (spec.desiredState: {run.desired})")
    if action == "suspend" and run.desired == "Suspended":
        raise NotPossible(f"dagrun/{run.name} is suspended already")
    if action == "resume" and run.desired != "Suspended":
        raise NotPossible(f"dagrun/{run.name} is not suspended")


def affected(action: str, run: Run, view: RunState | None) -> list[tuple[str, str]]:
    """The tasks and items that stopping, suspending or resuming a run affects, and how."""
    planner = view.planner if view else None
    if planner is None or action == "delete":
        return []
    keeps = planner.definition.protected if action == "cancel" else frozenset[str]()
    found = []
    for key, unit in planner.ledger.units.items():
        if unit.state in FINAL:
            continue
        live = unit.state in LIVE
        if action in ("cancel", "terminate"):
            if unit.task in keeps:
                found.append((key, "still runs: a teardown, handler or exit task"))
            else:
                found.append((key, "is stopped" if live else "does not start"))
        elif action == "suspend":
            found.append((key, "continues" if live else "waits"))
        elif not live:
            found.append((key, "may start"))
    return found


def lost(action: str, run: Run, view: RunState | None) -> list[str]:
    """What an action loses, in words."""
    planner = view.planner if view else None
    live = sum(unit.state in LIVE for unit in planner.ledger.units.values()) if planner else 0
    found = []
    if action in ("cancel", "terminate") and live:
        found.append(f"the work of {counted(live, 'running task')} since it began")
    if action == "terminate":
        found.append("what teardowns and exit tasks would have done")
    if action == "delete":
        found.append("the run, its outputs and results")
        found.append("its pods with their logs, and the runs of sub-DAGs")
    return found


async def change(client: Client, action: str, run: Run, reason: str) -> Object:
    """The merge patch of an action, signed by the user of the client."""
    if action == "retry":
        return {
            "metadata": {"annotations": await signed(client, reason, RETRIED)},
            "spec": {"retryFailed": run.rounds + 1},
        }
    body: Object = {"spec": {"desiredState": DESIRED[action]}}
    if action in ("cancel", "terminate"):
        body["metadata"] = {"annotations": await signed(client, reason, CANCELLED)}
    return body


def command(action: str, run: Run, reason: str) -> str:
    """The same on the command line."""
    verb = ["cancel", "--terminate"] if action == "terminate" else [action]
    words = ["tradewind", *verb, run.name, "-n", run.namespace]
    if reason and action in ("cancel", "terminate", "retry"):
        words += ["-m", reason]
    return shlex.join(words)


def start_command(namespace: str, dag: str, texts: Mapping[str, str], more: Mapping[str, Any]) -> str:
    """How a run is started on the command line. `texts` are params; `more` are options with their values."""
    words = ["tradewind", "run", dag, "-n", namespace]
    for name, text in texts.items():
        words += ["--param", f"{name}={text}"]
    for name, value in more.items():
        if value not in ("", None):
            words += [name, str(value)]
    return shlex.join(words)
