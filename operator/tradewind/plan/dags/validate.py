"""Checks of a DAG that the schema can't express: names, references between fields, expressions."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tradewind.model.asset import Produces
from tradewind.model.base import DNS_LABEL, IDENTIFIER
from tradewind.model.bounded import params_problem
from tradewind.model.dag import DAGSpec
from tradewind.model.duration import instant, seconds
from tradewind.model.fan_out import ForEach
from tradewind.model.task import PODLESS, WAYS, Task, in_words
from tradewind.model.value import Param
from tradewind.plan import pacing
from tradewind.plan.cel.compiler import FUNCTIONS, ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.dags import expression_sites, task_outputs
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.fan_out import FanOutError, items
from tradewind.plan.documents.nearest import choose, unknown_tasks
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.wording import QUOTE, WRITTEN
from tradewind.plan.expressions import comparisons, interpolation
from tradewind.plan.expressions.cel_rule import trigger
from tradewind.plan.expressions.output_text import source_problem
from tradewind.plan.expressions.scope import Scope, compile_in, names_item, retry_rule
from tradewind.plan.expressions.typed_values import problem_with, problem_with_bounds
from tradewind.plan.outcomes.trigger_rule import RULES
from tradewind.plan.pods import container_values
from tradewind.plan.sensors import sensor
from tradewind.plan.starts import pool_names

_DOTTED = re.compile(rf"([A-Za-z][\w-]*)\.({'|'.join(FUNCTIONS)})\b")
"""`a.Succeeded`, as in Argo."""
Also = Callable[[Program], None]


def names(spec: DAGSpec) -> Iterator[Problem]:
    """Invalid names."""
    for name in spec.tasks:
        if not re.fullmatch(DNS_LABEL, name):
            yield Problem(
                f"spec.tasks.{name[:80]}",
                "not a task name",
                "use at most 63 lower-case letters, digits and '-', with a letter or digit at both ends",
            )
    for field, keys, what in (
        ("params", spec.params, "not a param name"),
        ("outputs", spec.outputs, "not an output name"),
        ("keep", spec.keep, "not a name"),
        ("config", spec.config, "not a name"),
    ):
        for name in keys:
            if not re.fullmatch(IDENTIFIER, name):
                yield Problem(f"spec.{field}.{name[:80]}", what, "use at most 63 letters, digits and '_'")


def of_booleans(spec: DAGSpec) -> Iterator[Problem]:
    """Keys that YAML has turned into booleans: kubectl makes `"false"` of the key `n`."""
    yield from booleans(
        "spec", tasks=spec.tasks, params=spec.params, outputs=spec.outputs, keep=spec.keep, config=spec.config
    )
    for name, task in pacing.each(spec.tasks.items()):
        path = f"spec.tasks.{name}"
        yield from booleans(path, env=task.env, envFrom=task.env_from, outputs=task.outputs, compute=task.compute)


def booleans(path: str, **keys: Iterable[str]) -> Iterator[Problem]:
    """Such keys in fields under a path."""
    for field, names in keys.items():
        for name in names:
            if meant := WRITTEN.get(name):
                yield Problem(
                    f"{path}.{field}.{name}", f"kubectl makes {name} of the key {meant} without quotes", QUOTE
                )


def dangling(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """References to tasks that don't exist."""
    yield from unknown_tasks(
        (
            (f"spec.tasks.{name}.dependsOn[{index}]", dependency)
            for name, task in pacing.each(tasks.items())
            for index, dependency in enumerate(task.depends_on)
            if dependency not in tasks
        ),
        tasks,
    )


def params(spec: DAGSpec) -> Iterator[Problem]:
    """Params and outputs whose bounds or defaults don't fit their types."""
    yield from declared(spec.params, lambda param: problem_with(param, param.default, ""))
    if words := params_problem({name: param.default for name, param in spec.params.items()}):
        yield Problem("spec.params", f"their defaults {words}")
    for name, kept in spec.keep.items():
        path = f"spec.keep.{name}"
        if problem := problem_with_bounds(kept, path) or problem_with(kept, kept.initial, f"{path}.initial"):
            yield problem
    for name, task in pacing.each(spec.tasks.items()):
        for key, output in task.outputs.items():
            path = f"spec.tasks.{name}.outputs.{key}"
            if not re.fullmatch(IDENTIFIER, key):
                yield Problem(path, "not an output name", "use at most 63 letters, digits and '_'")
            if problem := problem_with_bounds(output, path) or source_problem(task.outputs, key, path):
                yield problem


def declared(params: Mapping[str, Param], unfit: Callable[[Param], Problem | None]) -> Iterator[Problem]:
    """Params whose bounds don't fit their types, or whose defaults are `unfit`."""
    for name, param in pacing.each(params.items()):
        path = f"spec.params.{name}"
        if problem := problem_with_bounds(param, path):
            yield problem
        elif param.optional and param.type == "secret":
            yield Problem(f"{path}.optional", "a secret can't be left out", "give it a default, or remove optional")
        elif param.default is not None and (problem := unfit(param)):
            yield Problem(f"{path}.default", problem.what, problem.instead)


def contents(tasks: Mapping[str, Task], unknown: Container[str] = ()) -> Iterator[Problem]:
    """Fields of a task that exclude each other. The fields of `unknown` tasks are not all known."""
    for name, task in pacing.each(tasks.items()):
        path = f"spec.tasks.{name}"
        ways = [way for way in WAYS if getattr(task, way)]
        if task.command or task.args:
            ways.append("command/args")
        if len(ways) > 1:
            there = f"write one of command/args, {in_words(WAYS)}"
            yield Problem(path, f"{' and '.join(ways)} exclude each other", there)
        if task.script and bool(task.script.python) == bool(task.script.shell):
            found = Problem(f"{path}.script", "needs one program", "write either python or shell")
            yield found if task.script.python else found.resting(f"{path}.script.python", f"{path}.script.shell")
        for variable, source in task.env_from.items():
            if bool(source.secret_key_ref) == bool(source.config_map_key_ref):
                where = f"{path}.envFrom.{variable}"
                found = Problem(where, "needs one source", "write secretKeyRef or configMapKeyRef")
                yield (
                    found
                    if source.secret_key_ref
                    else found.resting(f"{where}.secretKeyRef", f"{where}.configMapKeyRef")
                )
        for variable in sorted(task.env.keys() & task.env_from.keys()):
            yield Problem(f"{path}.envFrom.{variable}", "set in env too", "set each variable in one place")
        if task.image and task.podless and len(ways) == 1:
            yield Problem(f"{path}.image", f"{ways[0]} tasks need no image", "remove it")
        yield from _podless(path, task)
        if task.dag and bool(task.dag.name) == bool(task.dag.local):
            there = "write either name, of a DAG of the namespace, or local, of one in spec.dags"
            found = Problem(f"{path}.dag", "needs one DAG", there)
            yield found if task.dag.name else found.resting(f"{path}.dag.name", f"{path}.dag.local")
        if "compute" in task.model_fields_set and not task.compute:
            yield Problem(f"{path}.compute", "empty", 'write at least one output, such as {done: "true"}')
        elif not task.image and not task.podless and not _template_image(task):
            found = Problem(f"{path}.image", "required", "name an image here or in spec.defaults.image")
            yield found.resting(*(f"{path}.{field}" for field in ("podTemplate", "template", *PODLESS)))
        if task.for_each:
            known = {other: body for other, body in tasks.items() if other not in unknown} if unknown else tasks
            problems = list(_for_each(f"{path}.forEach", task.for_each, task, known))
            yield from problems or _literal_items(path, task.for_each)
        yield from _on_oom(path, task)


def _written(path: str, text: str, parse: Callable[[str], float]) -> Iterator[Problem]:
    """A time that can't be read, unless it is rendered."""
    if text and "$[[" not in text:
        try:
            parse(text)
        except ValueError as error:
            yield Problem(path, str(error))


def _podless(path: str, task: Task) -> Iterator[Problem]:
    """Problems of tasks without pods."""
    if task.pools and (idle := next((way for way in ("wait", "approval", "compute") if getattr(task, way)), "")):
        there = "remove it, or call a DAG with it and claim the pools in that call"
        yield Problem(f"{path}.pools", f"pools limit what uses something, and `{idle}` uses nothing", there)
    if wait := task.wait:
        if bool(wait.duration) == bool(wait.until):
            found = Problem(f"{path}.wait", "needs one end", "write either duration or until")
            yield found if wait.duration else found.resting(f"{path}.wait.duration", f"{path}.wait.until")
        yield from _written(f"{path}.wait.duration", wait.duration, seconds)
        yield from _written(f"{path}.wait.until", wait.until, instant)
    if task.dag:
        yield from _written(f"{path}.dag.logicalDate", task.dag.logical_date, instant)
    if task.http:
        yield from sensor.check_headers(f"{path}.http.headers", task.http.headers)
        if not task.http.pod and not task.pools:
            for found in sensor.check_timeout(
                f"{path}.http.timeout", task.http.timeout, "set http.pod for longer ones"
            ):
                yield found.resting(f"{path}.http.pod", f"{path}.pools")
    if task.sensor:
        yield from sensor.check(f"{path}.sensor", task.sensor)
    for name in task.compute:
        if not re.fullmatch(IDENTIFIER, name):
            yield Problem(f"{path}.compute.{name[:80]}", "not an output name", "use at most 63 letters, digits and '_'")
    for name, question in task.approval.questions.items() if task.approval else ():
        if problem := problem_with_bounds(question, f"{path}.approval.questions.{name}"):
            yield problem


def _template_image(task: Task) -> bool:
    spec = (task.pod_template or {}).get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    return any(
        isinstance(container, dict) and container.get("name") == "main" and container.get("image")
        for container in (containers if isinstance(containers, list) else [])
    )


def _for_each(path: str, source: ForEach, task: Task, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    given = {"items": source.items, "range": source.range, "matrix": source.matrix, "itemsOf": source.items_of}
    written = [name for name, value in given.items() if value is not None]
    if len(written) != 1:
        what = f"{' and '.join(written)} exclude each other" if written else "has nothing to iterate over"
        found = Problem(path, what, "write one of items, range, matrix and itemsOf")
        yield found if written else found.resting(*(f"{path}.{name}" for name in given))
    lists: list[tuple[str, Any]] = [(f"{path}.items", source.items)] if source.items is not None else []
    if source.matrix:
        lists += [(f"{path}.matrix.axes.{axis}", values) for axis, values in source.matrix.axes.items()]
    for where, value in lists:
        if not isinstance(value, list) and not (isinstance(value, str) and interpolation.whole(value)):
            yield Problem(where, "not a list", "write a list, or one `$[[ CEL ]]` that gives one")
    if source.range:
        for bound in ("start", "stop", "step"):
            value = getattr(source.range, bound)
            if isinstance(value, str) and not interpolation.whole(value):
                yield Problem(f"{path}.range.{bound}", f"{value[:80]!r} is not a whole number", "or write `$[[ CEL ]]`")
    if of := source.items_of:
        if of not in task.depends_on:
            found = Problem(
                f"{path}.itemsOf", f"{of!r} is not in dependsOn", "name a fan-out that this task depends on"
            )
            yield found.resting(f"{path.removesuffix('.forEach')}.dependsOn[*]")
        elif of in tasks and tasks[of].for_each is None:
            yield Problem(f"{path}.itemsOf", f"{of!r} has no forEach", "name a fan-out that this task depends on")


def _literal_items(path: str, source: ForEach) -> Iterator[Problem]:
    """Problems of items that are known without a run."""
    if source.items_of or interpolation.leaves(source.model_dump(exclude={"name"}), ""):
        return
    try:
        items(source, lambda text: text)
    except FanOutError as error:
        field, _, words = str(error).partition(": ")
        yield Problem(f"{path}.{field}", words).resting(f"{path}.forEach[*]")


def _on_oom(path: str, task: Task) -> Iterator[Problem]:
    if task.retries is None or task.retries.on_oom is None:
        return
    where = f"{path}.retries.onOOM"
    limit = task.resources.limits.get("memory") if task.resources else None
    if limit is None:
        found = Problem(where, "there is no memory limit to raise", "set resources.limits.memory")
        yield found.resting(f"{path}.resources.limits.memory")
    if task.retries.limit == 0:
        found = Problem(where, "no attempt follows a failed one", "set retries.limit to 1 or more")
        yield found.resting(f"{path}.retries.limit")
    yield from container_values.quantity_problems(f"{where}.max", task.retries.on_oom.max)


def expressions(definition: Definition, also: Also = lambda _: None) -> Iterator[Problem]:
    """Expressions that don't compile, or for whose programs `also` raises ExpressionError."""
    graph = definition.graph
    order = {task: place for place, task in enumerate(graph.order)}
    ancestry: dict[str, int] = {}
    for name, task in pacing.each(definition.tasks.items()):
        direct = graph.upstream[name]

        def upstream(other: str, name: str = name, direct: tuple[str, ...] = direct) -> bool:
            if other in direct or (name in definition.unordered and other != name):
                return True
            if not ancestry:
                ancestry.update(graph.ancestry())
            return bool(ancestry[name] >> order[other] & 1)

        elsewhere = (definition.fragment and not direct) or name in definition.unordered
        yield from _rules(name, task, direct, elsewhere)
        before, during = definition.scope(name, False, upstream), definition.scope(name, True, upstream)
        attempt = definition.attempt_scope(name, upstream)
        for text, field, wanted in expression_sites.conditions(task):
            scope = during if field == "when" and (names_item(text) or during.counterpart or during.handles) else before
            scope = attempt if field.startswith("compute.") else scope
            scope = definition.sensed_scope(name, upstream) if field == "sensor.until" else scope
            yield from _compiles(f"spec.tasks.{name}.{field}", text, scope, wanted, also)
        if task.loop:
            own = definition.own_scope(name)
            yield from _compiles(f"spec.tasks.{name}.loop.until", task.loop.until, own, ("boolean",), also)
        if task.skip_on:
            skips = definition.skip_scope(name)
            reasons = {"reason": comparisons.END_REASON}
            yield from _compiles(f"spec.tasks.{name}.skipOn", task.skip_on, skips, ("boolean",), also, reasons)
        yield from _produced(f"spec.tasks.{name}", task.produces, definition.own_scope(name), also)
        for path, text in expression_sites.templated(name, task):
            if "$[[" in text:
                yield from _renders(path, text, attempt, also)
    yield from _produced("spec", definition.spec.produces, definition.final_scope, also)
    for name, kept in definition.spec.keep.items():
        yield from _compiles(f"spec.keep.{name}.value", kept.value, definition.final_scope, (), also)
    for name, text in pacing.each(definition.spec.outputs.items()):
        yield from _compiles(f"spec.outputs.{name}", text, definition.final_scope, (), also)
    if key := definition.spec.concurrency_key:
        yield from _compiles("spec.concurrencyKey", key, definition.waiting_scope, (), also)
    yield from pool_names.too_many(definition.tasks)
    for name, index, claim in pool_names.templated(definition.tasks):
        yield from _renders(f"spec.tasks.{name}.pools[{index}].name", claim.name, definition.waiting_scope, also)
    for name, text in definition.spec.run_labels.items():
        if "$[[" in text:
            yield from _renders(f"spec.runLabels.{name[:80]}", text, definition.waiting_scope, also)


def _rules(name: str, task: Task, dependencies: tuple[str, ...], elsewhere: bool) -> Iterator[Problem]:
    """Invalid rules. A trigger rule may be about dependencies that are declared `elsewhere`."""
    path = f"spec.tasks.{name}"
    if task.trigger_rule not in RULES:
        if re.fullmatch(r"\w*", task.trigger_rule):
            instead = choose(task.trigger_rule, RULES, f"write CEL, or one of {', '.join(RULES)}")
            yield Problem(f"{path}.triggerRule", f"there is no rule {task.trigger_rule!r}", instead)
        elif not elsewhere:
            try:
                rule = trigger(task.trigger_rule, dependencies)
                comparisons.check(rule, {variable: comparisons.STATE for variable, _ in rule.variables})
            except ExpressionError as error:
                called = _DOTTED.search(task.trigger_rule)
                instead = f"write {called[2]}({called[1]})" if called else ""
                yield Problem(f"{path}.triggerRule", str(error), instead)
    rules = list[tuple[str, str]]()
    if retries := task.retries:
        rules = [("retryOn", retries.retry_on), ("failOn", retries.fail_on)]
        rules += [(f"delays[{index}].when", delay.when) for index, delay in enumerate(retries.delays)]
    for field, text in rules:
        if text:
            try:
                comparisons.check(retry_rule(text), {"reason": comparisons.REASON})
            except ExpressionError as error:
                yield Problem(f"{path}.retries.{field}", str(error))


def _compiles(
    path: str,
    text: str,
    scope: Scope,
    wanted: tuple[str, ...],
    also: Also,
    closed: Mapping[str, comparisons.Closed] | None = None,
) -> Iterator[Problem]:
    if not text:
        return
    if "$[[" in text:
        yield Problem(path, "`$[[ ]]` in an expression", "write the expression alone")
        return
    pacing.pause()
    try:
        _checked_too(scope, also, closed)(compile_in(text, scope, *wanted))
    except ExpressionError as error:
        yield Problem(path, str(error))


def _checked_too(scope: Scope, also: Also, closed: Mapping[str, comparisons.Closed] | None = None) -> Also:
    def check(program: Program) -> None:
        task_outputs.check(program, scope)
        comparisons.check(program, closed)
        also(program)

    return check


def _produced(path: str, assets: Sequence[Produces], scope: Scope, also: Also) -> Iterator[Problem]:
    for index, produces in enumerate(assets):
        said = {"partition": produces.partition, "metadata": produces.metadata}
        for where, text in interpolation.leaves(said, f"{path}.produces[{index}]"):
            yield from _renders(where, text, scope, also)


def _renders(path: str, text: str, scope: Scope, also: Also) -> Iterator[Problem]:
    secrets = [name for name, kind in scope.names.params if kind == "secret"]
    if interpolation.secret(text, secrets) and re.fullmatch(r"spec\.tasks\.[^.]+\.(env|dag\.params)\.\w+", path):
        return
    pacing.pause()
    try:
        interpolation.check(text, scope, _checked_too(scope, also))
    except ExpressionError as error:
        yield Problem(path, str(error))
