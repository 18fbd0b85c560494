"""Names of Airflow's and Argo's expressions, and what Tradewind calls the same."""

import re
from collections.abc import Callable, Sequence

from tradewind.plan.expressions.spelling import cel_name

DATE = "run.intervalStart.substring(0, 10)"
"""What `{{ ds }}` is, written in Tradewind's names."""

_WORDS = {
    "ds": DATE,
    "ds_nodash": 'run.intervalStart.substring(0, 10).replace("-", "")',
    "ts": "run.intervalStart",
    "ts_nodash": 'run.intervalStart.replace("-", "").replace(":", "")',
    "logical_date": "run.intervalStart",
    "execution_date": "run.intervalStart",
    "data_interval_start": "run.intervalStart",
    "data_interval_end": "run.intervalEnd",
    "next_execution_date": "run.nextDate",
    "prev_data_interval_start_success": "run.lastSuccess.logicalDate",
    "prev_data_interval_end_success": "run.lastSuccess.logicalDate",
    "prev_start_date_success": "run.lastSuccess.logicalDate",
    "run_id": "run.name",
    "dag_run.run_id": "run.name",
    "dag_run.logical_date": "run.intervalStart",
    "dag_run.run_type": "run.trigger.type",
    "dag.dag_id": "run.dag",
    "workflow.name": "run.name",
    "workflow.uid": "run.uid",
    "workflow.namespace": "run.namespace",
    "workflow.status": "run.outcome",
    "workflow.failures": "run.failures",
    "workflow.duration": "run.duration",
    "workflow.creationTimestamp": "run.startedAt",
    "item": "item",
}
_PARAMS = r"(?:dag_run\.conf|workflow\.parameters|inputs\.parameters)"
_KEY = r"""(?:\.|\[\s*['"])(?P<key>[A-Za-z_]\w*)(?:['"]\s*\])?"""
_PULLED = r"""(?:ti|task_instance)\.xcom_pull(?:\((?:task_ids\s*=\s*)?['"]?(?P<task>[-\w]*)['"]?(?:.{0,200}?key\s*=\s*['"](?P<key>\w+)['"])?.{0,200})?"""
_SHAPES: Sequence[tuple[str, Callable[[re.Match[str]], str]]] = (
    (rf"{_PARAMS}{_KEY}", lambda match: f"params.{match['key']}"),
    (rf"var\.(?:value|json){_KEY}.*", lambda match: f"config.NAME.{match['key']}"),
    (_PULLED, lambda match: f"tasks.{cel_name(match['task'] or 'NAME')}.outputs.{match['key'] or 'KEY'}"),
    (
        r"(?:steps|tasks)\.(?P<task>[-\w]+)\.outputs\.result",
        lambda match: f"tasks.{cel_name(match['task'])}.outputs.KEY",
    ),
    (
        r"(?:steps|tasks)\.(?P<task>[-\w]+)\.outputs\.parameters\.(?P<key>\w+)",
        lambda match: f"tasks.{cel_name(match['task'])}.outputs.{match['key']}",
    ),
    (
        r"(?:steps|tasks)\.(?P<task>[-\w]+)\.(?:status|exitCode)",
        lambda match: f"tasks.{cel_name(match['task'])}.state",
    ),
    (
        r"macros\.ds_add\((?P<date>[^,]{1,80}),\s*(?P<days>-?\d{1,5})\)",
        lambda match: (
            f'string(timestamp({DATE} + "T00:00:00Z") + duration("{24 * int(match["days"])}h")).substring(0, 10)'
        ),
    ),
)
"""Patterns of whole expressions, and their equivalents."""
_ROOTS = {
    "var": "a ConfigMap takes the place of Airflow's variables: bind it under spec.config and write config.NAME.KEY",
    "conn": "a Secret takes the place of Airflow's connections: write env: {NAME: {secretKeyRef: {name: ..., key: ...}}}; expressions never see secrets",
    "dag_run": "write params.NAME for what dag_run.conf holds, or a field of run",
    "macros": "write CEL, such as timestamp(run.intervalStart) + duration('24h'): see docs/functions.md",
    "ti": "write tasks.NAME.outputs.KEY for what a task has left",
    "task_instance": "write tasks.NAME.outputs.KEY for what a task has left",
    "workflow": "write a field of run, or params.NAME",
    "inputs": "write params.NAME",
    "steps": "write tasks.NAME.outputs.KEY",
    "pod": "the pod's name is in $HOSTNAME",
    "env": "expressions see no environment: write params.NAME, or config.NAME.KEY for a ConfigMap's value",
    "secrets": "expressions never see secrets: write env: {NAME: {secretKeyRef: {name: ..., key: ...}}}",
}
"""First names of other products' expressions -> what to do instead."""


def equivalent(text: str) -> str:
    """Tradewind's expression for one of another product; empty if there is none that is known."""
    written = text.strip()
    if written in _WORDS:
        return _WORDS[written]
    for pattern, ours in _SHAPES:
        if match := re.fullmatch(pattern, written, re.DOTALL):
            return ours(match)
    return ""


def translated(text: str) -> str:
    """A text in another product's names, in Tradewind's as far as they are known: of a larger expression, its params, or what it
    reads of another task."""
    if (whole := equivalent(text)) or "xcom_pull" not in text:
        return whole or re.sub(rf"{_PARAMS}{_KEY}", r"params.\g<key>", text)
    pulled = re.search(_PULLED, text, re.DOTALL)
    return equivalent(pulled[0]) if pulled else text


def advice(name: str, expression: str) -> str:
    """What to write instead of an unknown name of an expression; empty if it isn't another product's."""
    if ours := equivalent(expression) or equivalent(name):
        return f"write {ours}"
    return _ROOTS.get(name.partition(".")[0], "")
