"""Inputs for every field: values that other programs may trip over."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from . import values
from .expressions import BOMBS, REGEXES, Grammar
from .fields import Field, about, fields
from .inputs import NAME, WEB, Body, Input, run, runs
from .place import CROWN
from .registry import generator

UNTIMED = {"timeout", "desiredState", "suspend", "spec"}
"""Fields that may keep a run from ending by itself."""
LONG = "$[[ params.text ]]"
XS = list(range(60))
ENGAGED = {"text": {"default": ""}, "n": {"type": "integer", "default": 3}, "xs": {"type": "list", "default": XS}}


def _at(sort: str, field: Field, value: Any) -> Input:
    """An input with a value in a field; a run or a trigger makes the operator read it."""
    body = field.holding(value)
    others = about(field)
    more = (run({"k": "a"}),) if field.kind in ("DAG", "TaskTemplate") else ()
    lasts = (
        field.path[1:2] == ("timeout",)
        or field.name in UNTIMED
        or (body["spec"].get("dag") != NAME and field.kind == "DAGRun")
    )
    return Input(
        sort,
        f"{field}: {str(value)[:80]!r}",
        (*others, body, *more),
        None if lasts else 5.0,
        most=4_000 if field.kind == "Backfill" else 40,
    )


def _spread(sort: str, rng: random.Random, of: Callable[[Field], Iterator[Any]]) -> Iterator[Input]:
    """Values for all fields, one for each before any has a second."""
    chosen = rng.sample(list(fields()), len(fields()))
    sources = [(field, of(field)) for field in chosen]
    while sources:
        left = []
        for field, source in sources:
            for value in itertools.islice(source, 1):
                yield _at(sort, field, value)
                left.append((field, source))
        sources = left


def _texts(field: Field) -> bool:
    return field.schema.get("type") in ("string", None) and "enum" not in field.schema


@generator(2_300)
def names(rng: random.Random) -> Iterator[Input]:
    """Parts of paths in every text."""
    shuffled = lambda field: iter(rng.sample(values.UP, len(values.UP)) if _texts(field) else [])  # noqa: E731
    reading = [
        field for field in fields() if field.name in ("name", "secretName", "key", "dag", "run") and _texts(field)
    ]
    for field, value in itertools.product(reading, values.UP[:5]):
        yield _at("names", field, value)
    param = {"s": {"type": "secret", "default": f"../../{CROWN}/secrets/crown"}}
    yield Input(
        "names",
        "a param of type secret",
        runs(
            {
                "t": {
                    "http": {"url": f"http://{WEB}/fast"},
                    "envFrom": {"L": {"secretKeyRef": {"name": "$[[ params.s ]]", "key": "key"}}},
                }
            },
            params=param,
        ),
    )
    yield from _spread("names", rng, shuffled)


@generator(1_500)
def texts(rng: random.Random) -> Iterator[Input]:
    """Characters that may be taken for something else."""
    yield from _spread(
        "texts", rng, lambda field: iter(rng.sample(values.TEXTS, len(values.TEXTS)) if _texts(field) else [])
    )


@generator(1_500)
def numbers(rng: random.Random) -> Iterator[Input]:
    """The largest, the smallest, and invalid ones."""
    yield from _spread("numbers", rng, lambda field: values.numbers(field.name, field.schema, rng))


@generator(500)
def depth(rng: random.Random) -> Iterator[Input]:
    """Nested lists."""
    free = ("object", "array", None)
    yield from _spread("depth", rng, lambda field: values.depths(rng) if field.schema.get("type") in free else iter(()))


@generator(500)
def size(rng: random.Random) -> Iterator[Input]:
    """Long texts, lists and maps."""
    yield from _spread("size", rng, lambda field: values.sizes(field.schema, rng))


@generator(2_400)
def expressions(rng: random.Random) -> Iterator[Input]:
    """Expressions of CEL's grammar, in all fields of a DAG that are evaluated."""
    long = {"text": "a" * 100_000, "xs": list(range(100))}
    for bomb in BOMBS:
        yield Input(
            "expressions",
            f"when: {bomb[:100]!r}",
            runs({f"t{n}": {"when": bomb, "compute": {"n": "1"}} for n in range(4)}, long, params=ENGAGED),
        )
    grammar = Grammar(rng)
    for place in itertools.cycle(_PLACES):
        text = grammar.boolean(rng.randrange(1, 6)) if place in ("when", "until") else grammar.any(rng.randrange(1, 6))
        params = rng.choice(
            [None, {"text": "a" * rng.choice([10, 10_000, 700_000])}, {"xs": list(range(rng.choice([0, 1, 200])))}]
        )
        yield Input("expressions", f"{place}: {text[:100]!r}", runs(_PLACES[place](text), params, params=ENGAGED))


_PLACES: dict[str, Callable[[str], Body]] = {
    "when": lambda text: {"t": {"when": text, "compute": {"n": "1"}}},
    "compute": lambda text: {"t": {"compute": {"n": text, "m": text}}},
    "items": lambda text: {"t": {"forEach": {"items": f"$[[ {text} ]]"}, "compute": {"n": "item"}}},
    "url": lambda text: {"t": {"http": {"url": f"http://{WEB}/fast?$[[ {text} ]]", "timeout": "2s"}}},
    "until": lambda text: {"t": {"loop": {"until": text, "maxIterations": 3}, "compute": {"n": "iteration"}}},
    "name": lambda text: {"t": {"forEach": {"range": {"stop": 50}, "name": f"$[[ {text} ]]"}, "compute": {"n": text}}},
    "env": lambda text: {"t": {"image": "x", "command": ["true"], "env": {"A": f"$[[ {text} ]]"}}},
    "rule": lambda text: {
        "s": {"compute": {"n": "1"}},
        "t": {"dependsOn": ["s"], "triggerRule": text, "compute": {"n": "1"}},
    },
}


@generator(300)
def regexes(rng: random.Random) -> Iterator[Input]:
    """Patterns of params, and in expressions, with texts on which they are expensive."""
    bait = ["a" * 30 + "!", "a" * 5_000, "x" * 50_000, "aaaa " * 2_000]
    for pattern, text in itertools.product(REGEXES, bait):
        plain = pattern.replace("\\\\", "\\")
        yield Input(
            "regexes",
            f"params.p.pattern {plain[:60]!r}",
            runs({"t": {"compute": {"n": "params.p"}}}, {"p": text}, params={"p": {"pattern": plain, "default": "a"}}),
        )
        yield Input(
            "regexes",
            f"matches {plain[:60]!r}",
            runs(
                {f"t{n}": {"when": f"params.text.matches('{pattern}')", "compute": {"n": "1"}} for n in range(8)},
                {"text": text},
                params=ENGAGED,
            ),
        )
        tasks = {
            "t": {
                "forEach": {"range": {"stop": 200}},
                "when": f"!params.text.matches('{pattern}')",
                "compute": {"n": "1"},
            }
        }
        yield Input("regexes", f"200 items match {plain[:60]!r}", runs(tasks, {"text": text}, params=ENGAGED))
