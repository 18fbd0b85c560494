"""Approvals of a run on this machine: the user at the terminal decides."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tradewind.cli.laptop.decisions import Decisions
from tradewind.cli.output.terminal import Console
from tradewind.cli.prompt_params import hint
from tradewind.cli.views.screen import Screen
from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import APPROVALS
from tradewind.look.reading import status as status_of
from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import from_text, problem_with

LOOK = 0.3
"""Seconds between two polls."""
YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no"})
ReadLine = Callable[[], Awaitable[str | None]]
"""Reads the next typed line; None at the end of the input."""


class Overtaken(Exception):
    """The approval was decided elsewhere in the meantime."""


def person() -> bool:
    """Whether a user can see a question and type the answer."""
    return sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())


async def decide_approvals(
    client: Client, run: Run, decisions: Decisions, screen: Screen, cancel: Callable[[], None], page: bool = False
) -> None:
    """Decides the approvals of the run and its sub-DAGs until cancelled: by the given decisions, otherwise by asking.
    Calls `cancel` at the end of the input. With a `page` of the web UI, people decide there where there is no terminal."""
    done: set[str] = set()
    while True:
        for item in (await client.list(APPROVALS, run.namespace))["items"]:
            name = item["metadata"]["name"]
            if name in done or status_of(item).get("outcome", "Pending") != "Pending" or item["spec"].get("decision"):
                continue
            done.add(name)
            words = f"{item['spec']['task']}: {item['spec'].get('message') or 'approval is needed'}"
            if decision := decisions.on(item["spec"]):
                await _decide(client, item, decision)
                option = decision["comment"].rpartition(" ")[2]
                screen.print(f"{words}: {decision['decision'].lower()} by {option}")
            elif person():
                if not await _ask(client, item, words, screen):
                    cancel()
                    return
            elif page:
                screen.print(f"{words}: decide it in the browser")
            else:
                until = f"until {item['spec']['deadline']}" if item["spec"].get("deadline") else "for ever"
                screen.print(f"{words}: nobody can be asked here; the task waits {until}")
        await asyncio.sleep(LOOK)


async def _ask(client: Client, item: Object, words: str, screen: Screen) -> bool:
    """Asks for one decision; False if the input has ended."""

    async def line() -> str | None:
        return await _read_line(lambda: _open(client, item))

    console = screen.console if screen.console.is_terminal else Console(stderr=True)

    def write(text: str) -> None:
        console.print(text, end="", soft_wrap=True)

    with screen.pause():
        try:
            answer = await ask_decision(item["spec"], words, write, line)
        except Overtaken:
            write("\ntoo late: the approval is decided or has expired\n")
            return True
    if answer is None:
        return False
    await _decide(client, item, answer)
    return True


async def ask_decision(
    spec: Mapping[str, Any], words: str, write: Callable[[str], None], line: ReadLine
) -> dict[str, Any] | None:
    """The typed decision with the answers to the approval's questions; None if the input ends."""
    while True:
        typed = await _ask_question(f"{words} [y/n] ", write, line)
        if typed is None:
            return None
        if typed.lower() in NO:
            return {"decision": "Rejected"}
        if typed.lower() in YES:
            break
        write(f"  {typed or 'nothing'} is not an answer: type y to approve, or n to reject\n")
    answers: dict[str, Any] = {}
    for name, body in (spec.get("questions") or {}).items():
        declared = Param.model_validate(body)
        while True:
            typed = await _ask_question(f"  {hint(name, declared)}: ", write, line)
            if typed is None:
                return None
            value = from_text(declared, typed) if typed or declared.default is None else declared.default
            problem = problem_with(declared, value, name)
            if problem is None:
                break
            write(f"  {problem.what}; {problem.instead}\n")
        answers[name] = value
    return {"decision": "Approved", **({"answers": answers} if answers else {})}


async def _ask_question(question: str, write: Callable[[str], None], line: ReadLine) -> str | None:
    """The typed answer to a question. A first end of input is explained, since Ctrl-D is easily hit; None at the
    second."""
    write(question)
    if (typed := await line()) is not None:
        return typed
    write("\n  the input has ended without an answer; end it again (Ctrl-D) to cancel the run\n")
    write(question)
    if (typed := await line()) is None:
        write("\n  no decision: the input has ended, so the run is cancelled\n")
    return typed


async def _decide(client: Client, item: Object, decision: Mapping[str, Any]) -> None:
    spec = {**decision, "by": getpass.getuser()}
    await client.patch(APPROVALS, item["metadata"]["namespace"], item["metadata"]["name"], {"spec": spec})


async def _open(client: Client, item: Object) -> bool:
    """Whether the approval can still be decided."""
    try:
        found = await client.get(APPROVALS, item["metadata"]["namespace"], item["metadata"]["name"])
    except NotFound:
        return False
    return bool(status_of(found).get("outcome", "Pending") == "Pending")


async def _read_line(is_open: Callable[[], Awaitable[bool]]) -> str | None:
    """A line from the terminal. No thread waits for it, so Ctrl-C works. Raises Overtaken."""
    loop, number = asyncio.get_running_loop(), sys.stdin.fileno()
    read: asyncio.Future[bytes] = loop.create_future()

    def ready() -> None:
        if not read.done():
            try:
                read.set_result(os.read(number, 65_536))
            except OSError:  # the terminal is gone
                read.set_result(b"")

    loop.add_reader(number, ready)
    try:
        while not (await asyncio.wait([read], timeout=LOOK))[0]:
            if not await is_open():
                raise Overtaken
    finally:
        loop.remove_reader(number)
    return read.result().decode(errors="replace").strip() if read.result() else None
