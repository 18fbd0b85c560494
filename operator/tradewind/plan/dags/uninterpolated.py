"""Expressions in fields that are not evaluated: a program would get them unchanged."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tradewind.model.dag import DAGSpec
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions.foreign import translated
from tradewind.plan.expressions.literal import OPEN

EXPRESSION_SHOWN = 80
"""Characters of an expression that are quoted."""
_OURS = re.compile(r"\$\[\[.{0,4096}?\]\]|\$\[\[", re.DOTALL)
_FOREIGN = re.compile(
    r"\{\{-?\s*(?:workflow|inputs|outputs|steps|tasks|item|pod|params|run|ds|ds_nodash|ts|ts_nodash|dag|dag_run|ti|task|"
    r"task_instance|var|conn|macros|logical_date|execution_date|data_interval_start|data_interval_end|env|github|secrets)"
    r"(?:[.\[|\s][^{}\n]{0,200})?\}\}"
)
"""The syntax of Argo, Airflow and GitHub: `{{ params.x }}`, `{{workflow.name}}`. Other braces may be a script's own."""
_ALMOST = re.compile(
    r"(?<!\$)\[\[\s*(?:params|tasks|run)\.[^\[\]\n]{1,200}\]\]|\$\[\s*(?:params|tasks|run)\.[^\[\]\n]{1,200}\]"
)
"""Tradewind's syntax with a character missing: `[[ params.x ]]`, `$[ params.x ]`."""
_ANY = re.compile(r"\{\{[^{}\n]{1,200}\}\}")


def scripts(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """Scripts that contain expressions."""
    for name, task in pacing.each(tasks.items()):
        for language in ("python", "shell"):
            text = getattr(task.script, language, None) or ""
            found = (OPEN in text and _OURS.search(text)) or ("{{" in text and _FOREIGN.search(text))
            if found:
                path = f"spec.tasks.{name}.script.{language}"
                yield Problem(path, f"`{_short(found[0])}` is not evaluated in a script", _instead(found[0], language))


def values(rendered: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Rendered values, given with their paths, that contain `{{ }}`, or almost an expression, which stay as they are."""
    for path, text in rendered:
        if found := ("{{" in text and _ANY.search(text)) or ("[" in text and _ALMOST.search(text)):
            instead = f"write $[[ {translated(_inner(found[0]))} ]] for a value of the run"
            yield Problem(path, f"`{_short(found[0])}` is kept as it is", instead)


def literal(spec: DAGSpec) -> Iterator[Problem]:
    """Texts that are not rendered and contain `$[[ ]]`: descriptions, and defaults of params."""
    fields: list[tuple[str, Any]] = [("spec.description", spec.description)]
    for name, param in spec.params.items():
        fields += [
            (f"spec.params.{name}.default", param.default),
            (f"spec.params.{name}.description", param.description),
        ]
    for path, text in fields:
        if isinstance(text, str) and OPEN in text:
            yield Problem(path, "`$[[ ]]` is not evaluated here and stays as it is", "write a plain value")


def _instead(found: str, language: str) -> str:
    inner = translated(_inner(found))
    if not inner:
        return "pass values by env"
    last = inner.rpartition(".")[2]
    variable = re.sub(r"\W+", "_", last).strip("_").upper()[:32] or "VALUE"
    variable = "DATE" if last == "substring(0, 10)" else variable
    use = f'"${variable}"' if language == "shell" else f'os.environ["{variable}"]'
    return f'pass it by env: {{{variable}: "$[[ {inner} ]]"}}, and write {use}'


def _inner(found: str) -> str:
    """The beginning of the text between the brackets or braces."""
    for begin, end in (("$[[", "]]"), ("[[", "]]"), ("$[", "]"), ("{{-", "-}}"), ("{{", "}}")):
        if found.startswith(begin):
            return found.removeprefix(begin).removesuffix(end).strip()[:EXPRESSION_SHOWN]
    return found[:EXPRESSION_SHOWN]


def _short(text: str) -> str:
    return text if len(text) <= EXPRESSION_SHOWN else f"{text[:EXPRESSION_SHOWN]}..."
