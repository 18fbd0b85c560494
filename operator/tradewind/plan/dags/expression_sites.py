"""The fields of a task that contain expressions."""

from collections.abc import Iterator

from tradewind.model.task import Task
from tradewind.plan.dags.artifacts import source
from tradewind.plan.expressions import interpolation
from tradewind.plan.expressions.spelling import path as written_path
from tradewind.plan.sensors import sensor


def templated(name: str, task: Task) -> Iterator[tuple[str, str]]:
    """Path and text of every value of a task whose expressions are rendered for a pod."""
    path = f"spec.tasks.{name}"
    for variable, text in task.env.items():
        yield f"{path}.env.{variable}", text
    for field in ("command", "args"):
        for index, text in enumerate(getattr(task, field)):
            yield f"{path}.{field}[{index}]", text
    if task.http:
        yield f"{path}.http.url", task.http.url
        yield f"{path}.http.body", task.http.body
        for header, text in task.http.headers.items():
            yield f"{path}.http.headers.{header}", text
    if task.wait:
        yield f"{path}.wait.duration", task.wait.duration
        yield f"{path}.wait.until", task.wait.until
    if task.approval:
        yield f"{path}.approval.message", task.approval.message
    if task.dag:
        yield from interpolation.leaves(task.dag.params, f"{path}.dag.params")
        yield f"{path}.dag.logicalDate", task.dag.logical_date
    if task.sensor:
        for field, text in sensor.asks(task.sensor):
            yield f"{path}.sensor.{field}", text
    for given, artifact in task.artifacts.inputs.items() if task.artifacts else ():
        # `from` is not rendered, but handled like an expression: the artifact must come from an upstream task, which
        # must have ended.
        if maker := source(artifact.from_ or "")[0]:
            yield f"{path}.artifacts.inputs.{given}.from", f"$[[ {written_path('tasks', maker)}.outputs ]]"
        for field, text in (("key", artifact.key), ("url", artifact.url), ("text", artifact.text or "")):
            if text:
                yield f"{path}.artifacts.inputs.{given}.{field}", text
    if task.image:
        yield f"{path}.image", task.image
    if task.for_each and task.for_each.name:
        yield f"{path}.forEach.name", task.for_each.name
    if task.resources:
        yield from interpolation.leaves(task.resources.model_dump(), f"{path}.resources")
    if task.node_selector:
        yield from interpolation.leaves(dict(task.node_selector), f"{path}.nodeSelector")
    if task.pod_template:
        yield from interpolation.leaves(task.pod_template, f"{path}.podTemplate")


def conditions(task: Task) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Expression, field and allowed types of what decides whether a task runs, and for which items."""
    if task.when:
        yield task.when, "when", ("boolean",)
    for name, text in task.compute.items():
        yield text, f"compute.{name}", ()
    if task.sensor and task.sensor.until:
        yield task.sensor.until, "sensor.until", ("boolean",)
    for given, artifact in task.artifacts.inputs.items() if task.artifacts else ():
        if artifact.reference:
            yield artifact.reference, f"artifacts.inputs.{given}.reference", ()
    if source := task.for_each:
        lists = [("items", source.items)]
        if source.matrix:
            lists += [(f"matrix.axes.{axis}", values) for axis, values in source.matrix.axes.items()]
        for field, value in lists:
            if isinstance(value, str):
                yield interpolation.whole(value), f"forEach.{field}", ("list",)
            else:
                for path, text in interpolation.leaves(value, f"forEach.{field}"):
                    yield interpolation.whole(text), path, ()
        if source.range:
            for bound in ("start", "stop", "step"):
                value = getattr(source.range, bound)
                if isinstance(value, str):
                    yield interpolation.whole(value), f"forEach.range.{bound}", ("integer",)
