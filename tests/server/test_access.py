"""What a caller may do is asked once a minute, and nothing is read from the cache without a scope."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import Unavailable
from tradewind.kube.resources import CLUSTER_POOLS, DAGS, RUNS
from tradewind.server import access as module
from tradewind.server.access import EVERYWHERE, Access
from tradewind.server.caller import Caller
from tradewind.server.route import Need

SOURCE = Path(module.__file__).parent
WHO = Caller(Client(Connection("http://127.0.0.1:1")), "me")


class Answers:
    """Answers reviews, and counts them."""

    def __init__(self, allowed: set[tuple[str, str]]) -> None:
        self.allowed, self.asked = allowed, 0
        self.fails = False

    async def __call__(self, client: Client, **attributes: str) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Unavailable(0, "NoAnswer", "away")
        return (attributes.get("namespace", ""), attributes["resource"]) in self.allowed


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers({("a", "dagruns"), ("b", "dagruns"), ("", "dags"), ("a", "dags")})
    monkeypatch.setattr(module, "i_may", made)
    return made


async def test_a_scope_has_the_namespaces_in_which_one_may_list(answers: Answers) -> None:
    access = Access()
    scope = await access.scope(WHO, RUNS, ["a", "b", "c"])
    assert [name in scope for name in ("a", "b", "c", "")] == [True, True, False, False]
    assert "a" in scope.within("a") and "b" not in scope.within("a") and "c" not in scope.within("c")
    everywhere = await access.scope(WHO, DAGS, [])
    assert "anything" in everywhere and everywhere.within("x").namespaces == {"x"}
    assert (await access.scope(WHO, CLUSTER_POOLS, ["a"])).namespaces == frozenset()


async def test_many_questions_at_once_are_asked_once(answers: Answers) -> None:
    access = Access()
    assert all(await asyncio.gather(*(access.may(WHO, Need("list", RUNS), "a") for _ in range(50))))
    assert answers.asked == 1
    await access.may(Caller(WHO.client, "you"), Need("list", RUNS), "a")
    await access.may(WHO, Need("get", RUNS), "a")
    assert answers.asked == 3


async def test_an_answer_lasts_a_minute_and_an_error_not_at_all(answers: Answers) -> None:
    now = [0.0]
    access = Access(lambda: now[0])
    need = Need("list", RUNS)
    assert await access.may(WHO, need, "a") and await access.may(WHO, need, "a") and answers.asked == 1
    now[0] = 61.0
    answers.allowed.clear()
    assert not await access.may(WHO, need, "a") and answers.asked == 2
    answers.fails = True
    for count in (3, 4):
        with pytest.raises(Unavailable):
            await access.may(WHO, need, "b")
        assert answers.asked == count
    answers.fails = False
    assert not await access.may(WHO, need, "b")


async def test_a_request_that_is_given_up_ends_no_other(answers: Answers) -> None:
    access = Access()
    first = asyncio.create_task(access.may(WHO, Need("list", RUNS), "a"))
    await asyncio.sleep(0)
    other = asyncio.create_task(access.may(WHO, Need("list", RUNS), "a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await other and answers.asked == 1


async def test_the_first_missing_right_is_named(answers: Answers) -> None:
    access = Access()
    assert await access.lacks(WHO, [Need("list", RUNS), Need("list", CLUSTER_POOLS)], "a") == Need(
        "list", CLUSTER_POOLS
    )
    assert str(Need("get", RUNS, "log")) == "get dagruns/log"
    assert not await access.may(WHO, Need("list", RUNS), EVERYWHERE)


def _calls(tree: ast.AST, name: str) -> list[Any]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name]


def test_only_access_makes_scopes() -> None:
    makers = {path.name for path in SOURCE.rglob("*.py") if _calls(ast.parse(path.read_text()), "Scope")}
    assert makers == {"access.py"}


def test_the_cache_answers_nothing_without_a_scope() -> None:
    tree = ast.parse((SOURCE / "cache" / "cache.py").read_text())
    (cache,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    filling = {"put", "drop", "versions", "occupied"}
    readers = [item for item in cache.body if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")]
    assert len(readers) > len(filling)
    for reader in readers:
        if reader.name not in filling:
            assert [ast.unparse(arg.annotation) for arg in reader.args.args[1:2] if arg.annotation] == ["Scope"], (
                reader.name
            )
