"""The variables of a sensor's expressions, the time of its next poll, and the runs that a trigger's sensor starts."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tradewind.model.duration import instant, seconds
from tradewind.model.podless import LONGEST
from tradewind.model.sensor import CONDITION, KINDS, MOST_KEYS, WATCHED, Sensor, TaskSensor
from tradewind.model.trigger_sensor import TriggerSensor
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError, Variables
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions import interpolation
from tradewind.plan.sensors import bucket_listing, sql_query
from tradewind.tasks import headers

ANSWERS: Mapping[str, Variables] = {
    "http": (("status", "integer"), ("body", "any")),
    "bucket": (("count", "integer"), ("objects", "objects")),
    "sql": (("count", "integer"), ("rows", "objects")),
    "run": (("phase", "string"), ("name", "string"), ("results", "object")),
    "object": (("found", "boolean"), ("object", "any")),
}
"""Variables of a task's poll, by kind."""
OF_TASK: Variables = (("state", "string"),)
"""More variables of a poll for a task of a run."""
OCCASIONS: Mapping[str, Variables] = {
    "http": ANSWERS["http"],
    "bucket": (
        ("object.key", "string"),
        ("object.size", "integer"),
        ("object.etag", "string"),
        ("object.lastModified", "string"),
    ),
    "sql": ANSWERS["sql"],
}
"""Variables of a trigger's poll."""
POLLED: Variables = (("cursor", "any"), ("now", "string"), ("today", "string"))
"""Variables of any poll of a trigger."""
ASKING: Variables = (("trigger.name", "string"), ("trigger.namespace", "string"), *POLLED)
"""Variables before a trigger's poll."""
SHORTEST = 1.0
"""Minimum seconds between two polls."""
LONGEST_BACKOFF = 600.0
"""Seconds up to which the time between failing polls grows, unless the interval is longer."""
JITTER = 0.1
MOST_ITEMS = MOST_KEYS
LONGEST_CURSOR = 1_024
Values = Mapping[str, Any]
Evaluate = Callable[[str, Values], Any]
"""The value of an expression, given values in addition to the known ones. Raises ExpressionError."""


def pause(sensor: Sensor, failures: int, seed: str) -> float:
    """Seconds until the next poll, after a number of failures in a row. `seed` makes sensors differ."""
    usual = max(SHORTEST, seconds(sensor.interval))
    # The exponent is bounded so that it can't overflow a float.
    wait = min(usual * 2.0 ** min(failures, 32), max(usual, LONGEST_BACKOFF))
    return wait * (1 + JITTER * share(seed))


def share(seed: str) -> float:
    """A number from 0 to 1, always the same for the same seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) / 2.0**64


def answers(sensor: Sensor) -> Variables:
    """The variables of the result of a task's poll."""
    more = OF_TASK if isinstance(sensor, TaskSensor) and sensor.run and sensor.run.task else ()
    return ANSWERS.get(sensor.kind, ()) + more


def until(sensor: TaskSensor) -> str:
    """The condition that the answer of a task's sensor must meet."""
    if sensor.until:
        return sensor.until
    if sensor.object and sensor.object.condition:
        holds = f"c.type == '{sensor.object.condition}' && c.status == 'True'"
        return f"found && has(object.status) && has(object.status.conditions) && object.status.conditions.exists(c, {holds})"
    if sensor.run and sensor.run.task:
        return "state == 'Succeeded'"
    return _USUAL[sensor.kind]


_USUAL = {
    "http": "status >= 200 && status < 300",
    "bucket": "count > 0",
    "sql": "count > 0",
    "run": "phase == 'Succeeded'",
    "object": "found",
}


def check(path: str, sensor: Sensor) -> Iterator[Problem]:
    """What is wrong with a sensor, expressions aside."""
    kinds = KINDS if isinstance(sensor, TaskSensor) else WATCHED
    given = [kind for kind in kinds if getattr(sensor, kind) is not None]
    if len(given) != 1:
        what = " and ".join(given) + " exclude each other" if given else "asks nothing"
        found = Problem(path, what, f"write one of {', '.join(kinds)}")
        yield found if given else found.resting(*(f"{path}.{kind}" for kind in kinds))
    if seconds(sensor.interval) < SHORTEST:
        yield Problem(f"{path}.interval", f"{sensor.interval} is too short", "1s is the shortest")
    if sensor.bucket and sensor.bucket.key and sensor.bucket.prefix:
        yield Problem(f"{path}.bucket", "key and prefix exclude each other", "write either")
    if sensor.sql:
        yield from sql_query.check(f"{path}.sql", sensor.sql)
        yield from check_timeout(f"{path}.sql.timeout", sensor.sql.timeout)
    if sensor.http:
        yield from check_headers(f"{path}.http.headers", sensor.http.headers)
        yield from check_timeout(f"{path}.http.timeout", sensor.http.timeout)
    if isinstance(sensor, TaskSensor):
        yield from _check_own(path, sensor)


def check_headers(path: str, given: Iterable[str]) -> Iterator[Problem]:
    """Headers that a request can't have."""
    for name in given:
        if words := headers.unfit(name):
            yield Problem(f"{path}.{name[:80]}", words, "remove it")


def check_timeout(path: str, timeout: str, instead: str = "ask for less") -> Iterator[Problem]:
    """A timeout that is longer than the operator waits."""
    if seconds(timeout) > LONGEST:
        yield Problem(
            path, f"{timeout} is longer than the {LONGEST / 60:g}m that the operator waits for a server", instead
        )


def _check_own(path: str, sensor: TaskSensor) -> Iterator[Problem]:
    """Problems of fields that only tasks have."""
    if sensor.run and (date := sensor.run.logical_date) and "$[[" not in date:
        try:
            instant(date)
        except ValueError as error:
            yield Problem(f"{path}.run.logicalDate", str(error))
    if sensor.object:
        if sensor.object.kind == "Secret":
            yield Problem(f"{path}.object.kind", "its values would be stored in the run's status", "name another kind")
        if not re.fullmatch(CONDITION, sensor.object.condition):
            yield Problem(f"{path}.object.condition", "not a type of conditions", "use letters, digits and '/._-'")


def asks(sensor: Sensor) -> list[tuple[str, str]]:
    """Field and text of the request's values that have expressions."""
    if sensor.sql:
        return interpolation.leaves(sensor.sql.parameters, "sql.parameters")
    kind = sensor.kind
    return interpolation.leaves(getattr(sensor, kind).model_dump(by_alias=True), kind) if kind else []


# Triggers.


def check_trigger(path: str, sensor: TriggerSensor) -> Iterator[Problem]:
    """What is wrong with a trigger's sensor, expressions included."""
    problems = list(check(path, sensor))
    yield from problems
    if not sensor.kind:
        return
    for variable, source in sensor.env_from.items():
        if bool(source.secret_key_ref) == bool(source.config_map_key_ref):
            where = f"{path}.envFrom.{variable}"
            one = Problem(where, "needs one source", "write secretKeyRef or configMapKeyRef")
            yield one if source.secret_key_ref else one.resting(f"{where}.secretKeyRef", f"{where}.configMapKeyRef")
    if not sensor.key and not sensor.bucket:
        such = "`body.version`" if sensor.http else "`item.id`, with `items: rows`"
        yield Problem(f"{path}.key", "required", f"write an expression that identifies each result, such as {such}")
    for field_, text in asks(sensor):
        try:
            found = interpolation.expressions(text)
        except ExpressionError as error:
            yield Problem(f"{path}.{field_}", str(error))
            continue
        for expression in found:
            yield from _compiles(f"{path}.{field_}", expression, ASKING)
    if sensor.bucket:
        for name in ("items", "key", "cursor"):
            if getattr(sensor, name):
                yield Problem(f"{path}.{name}", "not for a bucket: each object starts a run of its own", "remove it")
        return
    answer = ASKING + OCCASIONS[sensor.kind]
    for name, wanted in (("items", "list"), ("cursor", "")):
        if text := getattr(sensor, name):
            yield from _compiles(f"{path}.{name}", text, answer, *([wanted] if wanted else []))
    if sensor.key:
        for problem in _compiles(f"{path}.key", sensor.key, answer + item(sensor)):
            yield problem.resting(f"{path}.items")


def item(sensor: TriggerSensor) -> Variables:
    """`item`, if there is one."""
    return (("item", "any"),) if sensor.items else ()


def _compiles(path: str, expression: str, variables: Variables, *wanted: str) -> Iterator[Problem]:
    try:
        compiled(expression, variables, *wanted)
    except ExpressionError as error:
        yield Problem(path, str(error))


def compiled(expression: str, variables: Variables, *wanted: str) -> Any:
    """The compiled expression. Raises ExpressionError; for an unknown name, with the existing ones."""

    def explained(problem: str) -> str:
        unknown = compiler.undeclared(problem)
        return f"there is no {unknown!r}; there are {', '.join(name for name, _ in variables)}" if unknown else problem

    return compiler.compiled(expression, variables, explained, *wanted)


def evaluate(expression: str, variables: Variables, values: Values, *wanted: str) -> Any:
    """The value as plain data. Raises ExpressionError."""
    return compiler.run(compiled(expression, variables, *wanted), values)


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of a poll of a trigger's sensor."""

    found: Sequence[Values] = ()
    """The variables of each finding that may be an occasion."""
    cursor: Any = ""
    """What to remember once they have been processed."""
    keys: Sequence[str] | None = None
    """The digests to remember then, if they don't follow from the keys."""
    more: bool = False
    """Whether another poll would find more immediately."""


def asked(sensor: TriggerSensor, values: Values) -> Batch:
    """The result of an answer. `values` are those of ASKING and of the answer. Raises ExpressionError that begins with
    the field's path."""
    answer = ASKING + OCCASIONS[sensor.kind]
    found = [values]
    if sensor.items:
        things = _value("items", sensor.items, answer, values, "list")
        if not isinstance(things, list):
            raise ExpressionError(sensor.items, "spec.sensor.items: gives no list")
        if len(things) > MOST_ITEMS:
            words = f"spec.sensor.items: {len(things)} items, at most {MOST_ITEMS} are allowed: ask for fewer at once"
            raise ExpressionError(sensor.items, words)
        found = [{**values, "item": thing} for thing in things]
    cursor = values["cursor"]
    if sensor.cursor:
        cursor = _value("cursor", sensor.cursor, answer, values)
        if not isinstance(cursor, str | int | float | bool) or len(str(cursor)) > LONGEST_CURSOR:
            words = f"spec.sensor.cursor: gives no text, number or true/false of at most {LONGEST_CURSOR} characters"
            raise ExpressionError(sensor.cursor, words)
    return Batch(found, cursor)


def key(sensor: TriggerSensor, values: Values) -> str:
    """The key of a finding, as text: 1 and "1" differ. Raises ExpressionError that begins with the field's path."""
    if sensor.bucket:
        return bucket_listing.identity(values["object.key"], values["object.etag"], values["object.lastModified"])
    found = _value("key", sensor.key, ASKING + OCCASIONS[sensor.kind] + item(sensor), values)
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS, default=str).decode()


def remembered(before: Sequence[str], dealt: Sequence[str]) -> list[str]:
    """The digests to keep: those of the latest poll come last, the oldest are dropped."""
    latest = dict.fromkeys(dealt)
    return [*(known for known in before if known not in latest), *latest][-MOST_KEYS:]


def _value(name: str, expression: str, variables: Variables, values: Values, *wanted: str) -> Any:
    try:
        return evaluate(expression, variables, values, *wanted)
    except ExpressionError as error:
        raise ExpressionError(expression, f"spec.sensor.{name}: {error.problem}", error.column) from None
