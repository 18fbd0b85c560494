"""Outputs of tasks, forged objects, and objects that multiply."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

from . import expressions, values
from .inputs import NAME, Input, dag, made, run, runs
from .place import MESSAGE
from .registry import generator
from .web import JSONS


@generator(400)
def outputs(rng: random.Random) -> Iterator[Input]:
    """What tasks write as their outputs."""
    small = {name: made() for name, made in JSONS.items()}
    found = {name: data[:4_096].decode("utf-8", "replace") for name, data in small.items()}
    found |= {f"levels {n}": '{"a":' + "[" * n + "]" * n + "}" for n in (63, 64, 65, 250, 254, 300, 1_000, 2_000)}
    found |= {
        f"number {value}": f'{{"n": {value}}}'
        for value in (
            "18446744073709551616",
            "-9223372036854775809",
            "1e400",
            "9" * 4_000,
            "NaN",
            "-Infinity",
            "0.1e-400",
        )
    }
    found |= {
        f"text {value[:20]!r}": '{"a": "' + value + '"}'
        for value in ("\\ud800", "\\u0000", "\\udfff\\ud800", "\x00", "\x1b[2J", "é" * 2_000)
    }
    found |= {
        "no object": "[1]",
        "a secret": '{"$ref": "x", "__proto__": {"a": 1}}',
        "same": '{"a": 1, "a": [2]}',
        "artifacts": '{"artifacts": {"x": {"path": "../../x"}}}',
    }
    for declared in ({}, {"n": {"type": "integer"}}, {"a": {"type": "string", "pattern": "(a+)+$"}}):
        for name, message in found.items():
            tasks = {
                "t": {"image": "x", "command": ["true"], "env": {MESSAGE: message}, "outputs": declared},
                "u": {"dependsOn": ["t"], "compute": {"all": "tasks.t.outputs"}},
            }
            yield Input("outputs", name, runs(tasks))
    for text in (
        "b'\\xff'",
        "timestamp('2026-01-01T00:00:00Z')",
        "duration('5s')",
        "{1: 2}",
        "{true: {2u: null}}",
        "type(1)",
        "18446744073709551615u",
        "1.0 / 0.0",
        "'\\ud83d'",
        "[[[[params]]]]",
    ):
        yield Input(
            "outputs",
            f"compute {text}",
            runs(
                {
                    "t": {"compute": {"b": text}},
                    "u": {"dependsOn": ["t"], "when": "tasks.t.outputs.b != 1", "compute": {"n": "1"}},
                }
            ),
        )
    while True:
        levels, text = rng.randrange(300), rng.choice(values.TEXTS)[:1_000]
        message = '{"a":' + "[" * levels + repr(rng.choice(values.NUMBERS)) + "]" * levels + "}"
        env = {MESSAGE: rng.choice([message, text])}
        yield Input(
            "outputs", f"by chance: {message[:60]!r}", runs({"t": {"image": "x", "command": ["true"], "env": env}})
        )


@generator(20)
def misspelt(rng: random.Random) -> Iterator[Input]:
    """Unknown names, among many that only a comparison of all letters distinguishes."""
    while True:
        tasks: dict[str, Any] = {expressions.permuted(rng): {"compute": {"a": "1"}} for _ in range(1_000)}
        names = [*tasks]
        hubs = [f"h{at}" for at in range(0, len(names), 100)]
        for at, hub in enumerate(hubs):
            tasks[hub] = {"compute": {"a": "1"}, "dependsOn": names[at * 100 :][:100]}
        for task in range(3):
            wrong = {f"k{at}": f"tasks.{expressions.permuted(rng)}.outputs.a" for at in range(64)}
            tasks[f"z{task}"] = {"dependsOn": hubs, "compute": wrong}
        yield Input("misspelt", "tasks in expressions", runs(tasks))
        tasks = {name: {"compute": {"a": "1"}} for name in names}
        tasks["z"] = {"compute": {"a": "1"}, "dependsOn": [expressions.permuted(rng) for _ in range(128)]}
        template = made("DAGTemplate", {"dag": {"tasks": tasks}})
        yield Input("misspelt", "dependencies", (template, made("DAG", {"template": {"name": NAME}}), run()))
        params = {expressions.permuted(rng): {"type": "string", "default": ""} for _ in range(64)}
        given = {expressions.permuted(rng): "a" for _ in range(64)}
        yield Input("misspelt", "params", runs({"t": {"compute": {"a": "1"}}}, given, params=params))


@generator(250)
def forged(rng: random.Random) -> Iterator[Input]:
    """Objects with names, labels and owners that only the operator may set."""
    gate = {
        "ok": {"approval": {"message": "?", "timeout": "4s", "onTimeout": "Fail"}},
        "deploy": {"dependsOn": ["ok"], "when": "tasks.ok.outputs.approved", "compute": {"n": "1"}},
    }
    gate["ok"]["approval"].pop("onTimeout")
    yes = {"approved": True, "by": "alice"}
    edits: list[Any] = [
        {"action": "Succeed", "tasks": ["ok"], "outputs": {"ok": yes}},
        {"action": "Succeed", "tasks": ["ok"], "outputs": {"ok": yes}, "by": "alice"},
        {"action": "Skip", "tasks": ["ok"]},
        {"action": "Succeed", "tasks": ["ok", "ok[0]"], "outputs": {"ok": yes, "deploy": {}}},
    ]
    for edit in edits:
        yield Input(
            "forged",
            f"approved by an edit: {edit['action']} {len(edit)}",
            (dag(gate), run(edits=[edit])),
            forbidden="deploy",
        )
    for only in (["deploy"], ["deploy", "ok"], []):
        first = run(edits=[edits[0]])
        second = made("DAGRun", {"dag": NAME, "reuse": {"run": NAME, "only": only}}, f"{NAME}-2")
        yield Input("forged", f"approved by reuse of {only}", (dag(gate), first, second), forbidden="deploy")
    for number in (1, 2):
        approval = made(
            "Approval", {"run": NAME, "task": "ok", "decision": "Approved", "by": "alice"}, f"{NAME}-ok-{number}"
        )
        yield Input(
            "forged", f"an approval {number} that is there before", (dag(gate), approval, run()), forbidden="deploy"
        )
    labels = [
        "run-uid",
        "run",
        "task",
        "attempt",
        "item",
        "depth",
        "trigger",
        "trigger-type",
        "dag",
        "backfill",
        "shard",
        "pool",
        "unfinished",
        "how",
    ]
    work = {"t": {"compute": {"n": "1"}}, "p": {"image": "x", "command": ["true"]}, "c": {"dag": {"name": NAME}}}
    for label, value in itertools.product(labels, ("x", "0", "1", "backfill", "schedule", "-1", "9" * 60, "")):
        marks = {f"tradewind.dev/{label}": value}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{NAME}-p-1", "labels": {**marks, "tradewind.dev/run-uid": "x"}},
            "spec": {"containers": [{"name": "main", "image": "x"}]},
        }
        owner = [
            {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "name": NAME, "uid": "x", "controller": True}
        ]
        other = made("DAGRun", {"dag": NAME}, f"{NAME}-c-1", labels=marks, ownerReferences=owner)
        yield Input(
            "forged",
            f"{label}={value[:9]!r}",
            (dag({**work}), other, pod, made("DAGRun", {"dag": NAME}, labels=marks)),
            timeout=None,
            most=60,
        )
    for pool in ("x", "shared", "*"):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{NAME}-q",
                "labels": {
                    "tradewind.dev/run-uid": "x",
                    f"clusterpool.tradewind.dev/{pool.replace('*', 'a')}": "1000000",
                },
            },
            "spec": {"containers": [{"name": "main", "image": "x"}]},
        }
        yield Input("forged", f"a pod that holds pool {pool}", (pod, *runs(work)), timeout=None)


DEEP, FAST = 25, 400
"""Runs of an object that creates one run after the other, and of a trigger that may create 300 in a minute."""


@generator(50)
def runaways(rng: random.Random) -> Iterator[Input]:
    """Runs that create runs that create runs."""
    compute = {"compute": {"n": "1"}}
    for stop, partition in itertools.product((1, 5, 20), ("$[[ params.p ]].$[[ index ]]", "$[[ index ]]", "x")):
        fork = dag(
            {
                "t": {
                    "forEach": {"range": {"stop": stop}},
                    **compute,
                    "produces": [{"name": NAME, "partition": partition}],
                }
            },
            params={"p": {"default": ""}},
        )
        trigger = made(
            "Trigger", {"dag": NAME, "params": {"p": "$[[ asset.partition ]]"}, "assets": {"anyOf": [{"name": NAME}]}}
        )
        yield Input(
            "runaways",
            f"an asset that makes {stop} times {partition}",
            (fork, trigger, run()),
            most=DEEP if stop == 1 else FAST,
        )
        back = made("Trigger", {"dag": f"{NAME}b", "assets": {"anyOf": [{"name": NAME}]}})
        forth = made("Trigger", {"dag": NAME, "assets": {"anyOf": [{"name": f"{NAME}b"}]}}, f"{NAME}-b")
        other = made(
            "DAG", {"timeout": "5s", "tasks": {"t": {**compute, "produces": [{"name": f"{NAME}b"}]}}}, f"{NAME}b"
        )
        yield Input(
            "runaways",
            f"two assets that make each other, {stop}",
            (fork, other, back, forth, run()),
            most=DEEP if stop == 1 else 2 * FAST,
        )
    for on in (1, 1):
        circle = [made("DAG", {"timeout": "5s", "tasks": {"t": compute}}, f"{NAME}{letter}") for letter in "ab"]
        follow = [
            made(
                "Trigger",
                {"dag": f"{NAME}{to}", "completed": {"dags": [{"name": f"{NAME}{of}"}], "atLeast": on}},
                f"{NAME}-{to}",
            )
            for of, to in ("ab", "ba")
        ]
        yield Input(
            "runaways",
            f"two that follow each other, {on}",
            (*circle, *follow, made("DAGRun", {"dag": f"{NAME}a"})),
            most=DEEP,
        )
    yield Input(
        "runaways",
        "a sub-DAG of itself",
        runs({"t": {"dag": {"name": NAME}}, "u": {"forEach": {"range": {"stop": 3}}, "dag": {"name": NAME}}}),
        most=550,
    )
    for cron in ("* * * * * *", "@every 1ms"):
        yield Input(
            "runaways",
            f"a schedule of {cron}",
            (dag({"t": compute}), made("Trigger", {"dag": NAME, "schedule": {"cron": cron}})),
            most=60,
        )


@generator(100)
def sums(rng: random.Random) -> Iterator[Input]:
    """Parts of a status, each within its limit."""
    for size, count in itertools.product((300_000, 350_000, 250_000, 700_000, 900_000, 100_000), (500, 200, 1)):
        each = {
            "forEach": {"range": {"stop": count}},
            "compute": {"b": "'" + "x" * 900 + "'"},
            "produces": [{"name": "a", "partition": "$[[ index ]]", "metadata": {"m": "y" * 900}}],
        }
        yield Input(
            "sums",
            f"params of {size}, {count} items",
            runs({"t": each}, {"t": "z" * size}, params={"t": {"default": ""}}, outputs={"r": "params.t"}),
            most=40,
        )
        yield Input(
            "sums",
            f"default of {size}",
            runs({"t": {"compute": {"b": "params.t"}}}, None, params={"t": {"default": "z" * size}}),
        )
    for count in (5, 30, 64):
        tasks = {f"t{n}": {"compute": {f"k{k}": "'" + "x" * 9_000 + "'" for k in range(count)}} for n in range(8)}
        yield Input("sums", f"8 times {count} outputs of 9 KB", runs(tasks))
    for count in (1_000, 5_000, 10_000):
        yield Input(
            "sums",
            f"{count} items that fail",
            runs({"t": {"forEach": {"range": {"stop": count}}, "compute": {"n": "1 / 0"}}}),
        )
        yield Input(
            "sums",
            f"{count} items of one list",
            runs(
                {"t": {"forEach": {"items": "$[[ params.xs ]]"}, "compute": {"n": "params.xs[index]"}}},
                {"xs": list(range(count))},
                params={"xs": {"type": "list", "default": []}},
            ),
        )
    for count in (100, 300):
        loops = {n: " && ".join([f"params.xs.all(x, x > {n})"] * 120) for n in range(count)}
        tasks = {f"t{n}": {"when": text, "compute": {"n": "1"}} for n, text in loops.items()}
        yield Input("sums", f"{count} long expressions", runs(tasks, params={"xs": {"type": "list", "default": [1]}}))
    wide = {f"k{k}": "params.xs[index]" for k in range(64)}
    yield Input(
        "sums",
        "64 outputs of a list of 276 KB",
        runs(
            {"t": {"forEach": {"items": "$[[ params.xs ]]"}, "compute": wide}},
            {"xs": ["x" * 20] * 10_000},
            params={"xs": {"type": "list", "default": []}},
        ),
    )
