"""Compiles scripts of tasks without running them: Python with this interpreter, shell with `sh -n` if there is one.

Only the command line does this. A compiler can be made to take all memory, so a webhook must not pass it what tenants
write.
"""

import ast
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import yaml

from tradewind.cli.manifests.document import Document, Refusal
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Problem
from tradewind.plan.templates.render import Rendering

SHELL_TIMEOUT = 5.0
"""Seconds that a shell may take to read one script."""
ENOUGH = 20.0
"""Seconds for all scripts of one document."""
FEW = 4
"""Occurrences of `finally` up to which a script is compiled unchanged."""
NEWER = ("f-string:", "multiple exception types must be parenthesized")
"""Beginnings of errors that newer versions of Python don't report: the image may have one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a script, and on which of its lines, counted from 1."""

    line: int
    what: str
    instead: str


@dataclass(slots=True)
class _Read:
    """Scripts already checked, with their faults."""

    until: float
    found: dict[tuple[str, str], Fault | None] = field(default_factory=dict)

    def fault(self, language: str, text: str) -> Fault | None:
        key = language, text
        if key not in self.found and time.monotonic() < self.until:
            self.found[key] = python_fault(text) if language == "python" else shell_fault(text)
        return self.found.get(key)


def refusals(document: Document, definition: Definition, rendering: Rendering) -> Iterator[Refusal]:
    """Errors in scripts. Those in templates are reported where the templates are used."""
    read = _Read(time.monotonic() + ENOUGH)
    for place, task in definition.all_tasks:
        for language in ("python", "shell") if task.script else ():
            text = getattr(task.script, language)
            if text and (fault := read.fault(language, text)):
                path = f"{place}.script.{language}"
                what = f"line {fault.line} of the script: {fault.what}"
                told = rendering.told(Problem(path, what, fault.instead))
                yield replace(document.refusal(told), line=_line(document, told, fault.line))


def python_fault(text: str) -> Fault | None:
    """The syntax error of a Python program; None if it compiles."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = _in_line(ast.parse(text)) if text.count("finally") > FEW else text
            compile(program, "script", "exec", dont_inherit=True)
    except SyntaxError as error:
        if str(error.msg).startswith(NEWER):
            return None
        return Fault(error.lineno or 1, f"not Python: {error.msg}", f"correct it (read as Python {version})")
    except (ValueError, OverflowError) as error:
        return Fault(1, f"not Python: {error}", "remove such characters")
    except (RecursionError, MemoryError):
        return Fault(1, "not Python: nested too deeply", "write it in several statements")
    return None


def _in_line(tree: ast.Module) -> ast.Module:
    """The program with the statements after each `finally` moved behind their `try`. The compiler emits them once per
    exit path, nested ones once for each of those, so twenty of them take gigabytes. The errors stay the same."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        for part in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, part, None), list):
                setattr(node, part, [found for statement in block for found in _after(statement)])
        left += ast.iter_child_nodes(node)
    return tree


def _after(statement: ast.stmt) -> list[ast.stmt]:
    """A statement and, if it is a `try`, the statements of its `finally`."""
    last: list[ast.stmt] = getattr(statement, "finalbody", [])
    if not last:
        return [statement]
    assert isinstance(statement, ast.Try | ast.TryStar)  # noqa: S101 - nothing else has one
    body = statement.body
    statement.finalbody = []
    always = ast.copy_location(ast.If(ast.copy_location(ast.Constant(True), statement), body, []), statement)
    return [statement if statement.handlers else always, *(found for each in last for found in _after(each))]


def shell_fault(text: str) -> Fault | None:
    """The syntax error of a shell script; None if any available shell can parse it, or there is none."""
    faults = [_read_by(shell, text) for shell in _shells()]
    return faults[0] if faults and all(faults) else None


@cache
def _shells() -> tuple[tuple[str, ...], ...]:
    """Shells that may be an image's /bin/sh."""
    known = (("sh", "-n"), ("bash", "--posix", "-n"))
    return tuple((found, *options) for name, *options in known if (found := shutil.which(name)))


def _read_by(shell: tuple[str, ...], text: str) -> Fault | None:
    try:
        done = subprocess.run([*shell], input=text.encode(errors="replace"), capture_output=True, timeout=SHELL_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").splitlines()
    match = re.search(r": (?:line )?(\d+): (?:[Ss]yntax error:? ?)?(.*)", said[0]) if said else None
    line, words = (int(match[1]), match[2]) if match else (1, said[0] if said else "it can't be read")
    return Fault(line, f"not a shell program: {words[:200]}", "correct it, or quote what is text")


def _line(document: Document, problem: Problem, line: int) -> int:
    """The line of the file for a line of a script; the field's line if the text is not a block."""
    node = document.node_at(problem.path)
    if isinstance(node, yaml.ScalarNode) and node.style == "|":
        return int(node.start_mark.line) + 1 + line
    return document.line_of(problem.path)
