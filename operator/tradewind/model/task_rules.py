"""Rules about the tasks of a DAG that an API server applies by a policy of the chart, not by the CRD.

For each field of a task that a rule of a CRD reads, an API server copies the whole schema of tasks: these rules cost 1 ms of CPU for each task
in each write. A policy sees plain values, for a tenth of that."""

import json
from typing import Any

from tradewind.model.base import rule
from tradewind.model.task import PODLESS, WAYS, in_words


def _has(ways: tuple[str, ...]) -> list[str]:
    return [f"has(task.{way})" for way in ways]


RULES = {
    "dependsOn names a task that is not in spec.tasks": "!has(task.dependsOn) || task.dependsOn.all(d, d in TASKS)",
    "a task depends on itself": "!has(task.dependsOn) || !(t in task.dependsOn)",
    "teardown.of names a task that is not in spec.tasks": "!has(task.teardown) || task.teardown.of.all(d, d in TASKS)",
    "a teardown runs whenever its setup ran: remove triggerRule": (
        "!has(task.teardown) || !has(task.triggerRule) || task.triggerRule == 'AllSucceeded'"
    ),
    f"write one of command/args, {in_words(WAYS)}": (
        f"[{', '.join(_has(WAYS))}, has(task.command) || has(task.args)].filter(way, way).size() <= 1"
    ),
    f"{in_words(PODLESS)} tasks need no image": f"!has(task.image) || !({' || '.join(_has(PODLESS))})",
    "itemsOf must name a fan-out listed in dependsOn": (
        "has(task.template) || !has(task.forEach) || !has(task.forEach.itemsOf)"
        " || (has(task.dependsOn) && task.forEach.itemsOf in task.dependsOn)"
    ),
}
"""Message -> what holds for every `task`, whose name is `t`, among TASKS."""


DAGS = "variables.dags"


def _of(tasks: str, holds: str) -> str:
    """What holds for a task by its name. The list of one task is a variable: values of maps are copied when they are looked up."""
    return f"[{tasks}[t]].all(task, {holds})".replace("TASKS", tasks)


def _told(tasks: str, holds: str, message: str) -> str:
    """The message, with the name of a task that breaks the rule."""
    return f"'task ' + {tasks}.filter(t, !{_of(tasks, holds)})[0] + {json.dumps(f': {message}')}"


def _local(dags: str, holds: str) -> str:
    """What holds for a local DAG by its name."""
    return f"[{dags}[n].tasks].all(tasks, tasks.all(t, {_of('tasks', holds)}))"


def _told_local(dags: str, holds: str, message: str) -> str:
    """The message, with the name of a local DAG that has a task that breaks the rule."""
    return f"'dags.' + {dags}.filter(n, !{_local(dags, holds)})[0] + {json.dumps(f': {message}')}"


SCHEMA: dict[str, Any] = {
    "properties": {
        "spec": {
            "x-kubernetes-validations": [
                found
                for message, holds in RULES.items()
                for found in (
                    rule(
                        f"!has(self.tasks) || self.tasks.all(t, {_of('self.tasks', holds)})",
                        message,
                        messageExpression=_told("self.tasks", holds, message),
                        fieldPath=".tasks",
                    ),
                    rule(
                        f"!has(self.dags) || self.dags.all(n, {_local('self.dags', holds)})",
                        message,
                        messageExpression=_told_local("self.dags", holds, message),
                        fieldPath=".dags",
                    ),
                )
            ]
        }
    }
}
"""The rules as those of a DAG's schema, for the embedded API server, which has no policies."""


def policy() -> dict[str, Any]:
    """The rules as variables and validations of a policy. One pass over the tasks is enough where all is well: an API server
    computes all messages, whatever holds."""
    tasks = "variables.tasks"
    everything = " && ".join(f"({holds})" for holds in RULES.values())
    return {
        "variables": [
            {"name": "tasks", "expression": "has(object.spec.tasks) ? object.spec.tasks : {}"},
            {"name": "dags", "expression": "has(object.spec.dags) ? object.spec.dags : {}"},
            {"name": "sound", "expression": f"{tasks}.all(t, {_of(tasks, everything)})"},
            {"name": "local", "expression": f"{DAGS}.all(n, {_local(DAGS, everything)})"},
        ],
        "validations": [
            {
                "expression": f"variables.{sound} || {holds}",
                "message": message,
                "messageExpression": f"variables.{sound} ? '' : {told}",
            }
            for message, one in RULES.items()
            for sound, holds, told in (
                ("sound", f"{tasks}.all(t, {_of(tasks, one)})", _told(tasks, one, message)),
                ("local", f"{DAGS}.all(n, {_local(DAGS, one)})", _told_local(DAGS, one, message)),
            )
        ],
    }
