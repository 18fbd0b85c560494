"""Answers of servers to the operator, and requests that contain others."""

import itertools
import random
from collections.abc import Iterator

from .inputs import NAME, PORT, WEB, Input, dag, made, runs
from .registry import generator
from .web import JSONS

PATHS = [
    *(f"json/{name}" for name in JSONS),
    "hang",
    "slow",
    "huge",
    "headers",
    "line",
    "nonsense",
    "redirect",
    "elsewhere",
    "zip",
    "chunks",
    "two",
    "status/500",
    "status/204",
    "status/99",
    "status/302",
]


@generator(400)
def answers(rng: random.Random) -> Iterator[Input]:
    """Answers to requests, to sensors and to triggers."""
    for path in PATHS:
        url = f"http://{WEB}/{path}"
        yield Input(
            "answers",
            f"http {path}",
            runs(
                {
                    "t": {"http": {"url": url, "timeout": "3s"}},
                    "u": {"dependsOn": ["t"], "compute": {"n": "tasks.t.outputs"}},
                }
            ),
        )
        yield Input(
            "answers",
            f"sensor {path}",
            runs(
                {
                    "t": {
                        "sensor": {
                            "http": {"url": url, "timeout": "3s"},
                            "until": "false",
                            "interval": "1s",
                            "timeout": "3s",
                        }
                    }
                }
            ),
        )
        trigger = made(
            "Trigger",
            {
                "dag": NAME,
                "params": {"p": "$[[ string(item) ]]"},
                "sensor": {
                    "http": {"url": url, "timeout": "3s"},
                    "items": "[body]",
                    "key": "string(status)",
                    "interval": "1s",
                },
            },
        )
        yield Input(
            "answers",
            f"trigger {path}",
            (dag({"t": {"compute": {"n": "1"}}}, params={"p": {"default": ""}}), trigger),
        )
        yield Input(
            "answers",
            f"20 times {path}",
            runs({"t": {"forEach": {"range": {"stop": 20}}, "http": {"url": url, "timeout": "3s"}}}),
        )
    while True:
        path, host = rng.choice(PATHS), f"127.0.0.{rng.randrange(1, 9)}"
        url = f"http://{host}:{PORT}/{path}"
        yield Input(
            "answers",
            f"{path} by {host}",
            runs({"t": {"retries": {"limit": 2}, "http": {"url": url, "timeout": rng.choice(["1s", "24h", "10s"])}}}),
        )


@generator(100)
def listings(rng: random.Random) -> Iterator[Input]:
    """Listings of a bucket."""
    kinds = [
        "good",
        "many",
        "open",
        "keys",
        "unclosed",
        "errors",
        "laughs",
        "outside",
        "endless",
        "deep",
        "size",
        "bytes",
    ]
    for times, kind in itertools.product((1, 3, 8), kinds):
        poll = {
            "bucket": {"endpoint": f"http://{WEB}", "bucket": "bucket", "prefix": kind, "secretName": "own"},
            "interval": "1s",
        }
        each = {"sensor": {**poll, "timeout": "4s"}}
        aside = {"endpoint": f"http://{WEB}", "bucket": "bkt", "key": kind, "secretName": "own"}
        yield Input("listings", f"{times} sensors of {kind}", runs({f"t{n}": each for n in range(times)}))
        trigger = made("Trigger", {"dag": NAME, "sensor": poll})
        yield Input("listings", f"a trigger on {kind}", (dag({"t": {"compute": {"n": "1"}}}), trigger), most=400)
        yield Input(
            "listings",
            f"a key of {kind}",
            runs({"t": {"sensor": {"bucket": aside, "interval": "1s", "timeout": "3s"}}}),
        )


@generator(100)
def crowds(rng: random.Random) -> Iterator[Input]:
    """Many requests that take long."""
    for path, timeout, count in itertools.product(("hang", "slow", "huge"), ("5m", "4s", "24h"), (100, 300)):
        task = {
            "forEach": {"range": {"stop": count}},
            "http": {"url": f"http://{WEB}/{path}?$[[ index ]]", "timeout": timeout},
        }
        yield Input("crowds", f"{count} times {path}, timeout {timeout}", runs({"t": task}, timeout="1m"), None)
        tasks = {
            f"t{n}": {
                "sensor": {
                    "http": {"url": f"http://{WEB}/{path}?{n}", "timeout": timeout},
                    "interval": "1s",
                    "until": "true",
                }
            }
            for n in range(40)
        }
        yield Input("crowds", f"40 sensors of {path}, timeout {timeout}", runs(tasks, timeout="1m"), None)


@generator(200)
def headers(rng: random.Random) -> Iterator[Input]:
    """Requests in requests."""
    steal = "0\r\n\r\nPOST /attackers-mailbox HTTP/1.1\r\nX-Swallow: "
    framing = [
        {"Transfer-Encoding": "chunked"},
        {"transfer-encoding": "chunked"},
        {"Transfer-Encoding ": "chunked"},
        {"Transfer-Encoding": "identity, chunked"},
        {"Content-Length": "5"},
        {"Content-Length": "0"},
        {"Connection": "keep-alive"},
        {"Connection": "Transfer-Encoding"},
        {"TE": "trailers"},
        {"Expect": "100-continue"},
        {"Upgrade": "h2c"},
        {"Host": "elsewhere"},
        {"Keep-Alive": "x"},
        {"Trailer": "x"},
        {"Proxy-Connection": "x"},
        {":path": "/x"},
        {"X": "a\r\nTransfer-Encoding: chunked"},
        {"X\r\nTransfer-Encoding": "chunked"},
        {"X": "\0"},
        {"X": "é" * 100},
        {"": "x"},
        {"X": "a" * 8_000},
    ]
    for names, method, body in itertools.product(framing, ("POST", "GET", "PUT"), (steal, "", "x" * 20)):
        task = {
            "http": {"url": f"http://{WEB}/fast", "method": method, "headers": names, "body": body, "timeout": "2s"}
        }
        rendered = {
            "http": {
                **task["http"],
                "headers": {
                    key: f"$[[ '{value}' ]]" for key, value in names.items() if "\r" not in value and "\0" not in value
                },
            }
        }
        yield Input(
            "headers",
            f"{method} {str(names)[:60]} {body[:10]!r}",
            runs({"t": task, "u": {"forEach": {"range": {"stop": 8}}, **task}, "v": rendered}),
        )
