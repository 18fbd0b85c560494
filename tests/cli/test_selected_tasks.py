"""`run --until`, `--only` and `--given`."""

from typing import Any

import click
import pytest
from tradewind.cli.starts.selected import check, selected
from tradewind.cli.starts.wanted import Wanted, run_body
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.local.apiserver import ApiServer
from tradewind.plan.dags.compile import define


def test_what_is_given_is_json_or_text_by_task() -> None:
    given = {"extract.rows": "5", "extract.day": "2026-05-01", "list.names": '["a", "b"]'}
    assert selected([], ["load"], given) == {
        "only": ["load"],
        "edits": [
            {
                "action": "Succeed",
                "tasks": ["extract"],
                "outputs": {"extract": {"rows": 5, "day": "2026-05-01"}},
                "reason": "given at the start",
            },
            {
                "action": "Succeed",
                "tasks": ["list"],
                "outputs": {"list": {"names": ["a", "b"]}},
                "reason": "given at the start",
            },
        ],
    }
    assert selected(["test"], [], {}) == {"until": ["test"]} and selected([], [], {}) == {}


@pytest.mark.parametrize(
    ("until", "only", "given", "words"),
    [
        (["a"], ["b"], {}, "--until and --only exclude each other"),
        (["a"], [], {"b.x": "1"}, "add --only TASK"),
        ([], ["a"], {"b": "1"}, "--given b: write --given TASK.OUTPUT=VALUE"),
        ([], ["a"], {"a.x": "1"}, "a runs and writes its own outputs"),
    ],
)
def test_mistakes_are_told(until: list[str], only: list[str], given: dict[str, str], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        selected(until, only, given)


async def test_what_is_given_is_signed() -> None:
    """The chart's policy refuses edits that don't say who makes them."""
    async with (
        ApiServer(token="t") as server,
        Client(Connection(server.url, authorization=lambda: "Bearer t")) as client,
    ):
        body = run_body("d", {})
        body["spec"] |= selected([], ["load"], {"extract.rows": "5"})
        await Wanted().sign(client, body)
    who = body["metadata"]["annotations"]["tradewind.dev/by"]
    assert who and [edit["by"] for edit in body["spec"]["edits"]] == [who]


def test_as_many_as_edits_can_be_are_given_together() -> None:
    edits = selected([], ["a"], {f"fan[{number}].x": "1" for number in range(150)})["edits"]
    assert len(edits) == 1 and len(edits[0]["outputs"]) == 150


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"until": ["laod"]}, "--until: there is no task 'laod'"),
        ({"only": ["laod"]}, "--only: there is no task 'laod'"),
        (selected([], ["load"], {"extract.row": "5"}), "--given: there is no output 'row' of task extract"),
        (selected([], ["load"], {"xtract.rows": "5"}), "--given: there is no task 'xtract'"),
        (selected([], ["load"], {"extract.rows": "many"}), "--given: output 'rows'"),
    ],
)
def test_what_the_dag_does_not_have_is_told_before_the_run_begins(spec: dict[str, Any], words: str) -> None:
    extract = {"image": "x", "outputs": {"rows": {"type": "integer"}}}
    load = {"image": "x", "dependsOn": ["extract"], "env": {"ROWS": "$[[ tasks.extract.outputs.rows ]]"}}
    definition = define({"tasks": {"extract": extract, "load": load}})
    with pytest.raises(click.UsageError) as raised:
        check(definition, spec)
    assert words in raised.value.message
    check(definition, selected([], ["load"], {"extract.rows": "5"}))
    check(definition, {"until": ["load"]})
