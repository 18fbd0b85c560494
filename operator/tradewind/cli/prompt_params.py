"""Asks for params that are not given on the command line, if the input is a terminal."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from tradewind.cli.output.terminal import say
from tradewind.cli.output.yaml_text import typed
from tradewind.model.shown import shown
from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import from_text, needed, problem_with, resolve


def complete(declared: Mapping[str, Param], given: Mapping[str, Any], ask: bool | None) -> dict[str, Any]:
    """The params of a run. `ask`: True asks for all that are not given, None only for those without a default and in a
    terminal. Raises ClickException with everything that is wrong."""
    found = dict(given)
    asks = ask if ask is not None else sys.stdin.isatty()
    for name, param in declared.items():
        if asks and name not in found and (ask or param.required):
            value = _ask(name, param)
            if value != param.default:
                found[name] = value
    if problems := resolve(declared, found)[1]:
        raise click.ClickException("\n".join(f"--param {str(item).removeprefix('spec.params.')}" for item in problems))
    return found


def hint(name: str, param: Param) -> str:
    """The prompt for a value: its name, the possible values and the default."""
    about = param.title or param.description
    words = f"{name} ({about})" if about else name
    choices = ", ".join(typed(value) for value in param.enum or ())
    usual = "" if param.default is None else f" [{typed(param.default)}]"
    examples = ", ".join(typed(value) for value in param.examples)
    if not choices and examples:
        return f"{words} [{needed(param)}, e.g. {examples}]{usual}"
    return f"{words} ({choices}){usual}" if choices else f"{words} [{needed(param)}]{usual}"


def _ask(name: str, param: Param) -> Any:
    """Asks until the answer fits."""
    choices = [typed(value) for value in param.enum or ()]
    kind = click.Choice(choices) if choices else None

    def read(text: Any) -> Any:
        if text is param.default and text is not None:
            return text
        if kind:
            text = kind.convert(str(text), None, None)
        value = from_text(param, str(text))
        if problem := problem_with(param, value, name):
            raise click.UsageError(f"{problem.what}; {problem.instead}")
        return value

    words = shown(hint(name, param))
    try:
        return click.prompt(words, default=param.default, value_proc=read, show_default=False, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise  # Ctrl-C
        say("", err=True)
        way = f"--param {name}=VALUE"
        raise click.ClickException(f"no value for {name}: the input has ended; give it with {way}") from None
