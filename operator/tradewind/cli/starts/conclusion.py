"""The output for a run that has ended."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tradewind.cli.output.terminal import Console, say_data
from tradewind.cli.views.follow_run import print_logs
from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Client
from tradewind.look.reading import condition, of_kind
from tradewind.look.run_rows import Row, as_data, failed
from tradewind.model.shown import brief

SHOWN = 40
"""Tasks whose outputs are printed at the end."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


async def conclude(
    client: Client, run: Run, rows: Sequence[Row], output: str, console: Console, more: Mapping[str, Any] = NOTHING
) -> bool:
    """Shows outputs, or the logs of failed tasks; returns whether the run succeeded. `more` is added to the output for
    programs."""
    edited = condition(run.status, "Edited")
    if edited.get("status") == "False":  # Such as an output given for an item that there is not.
        console.print(f"without effect: {edited.get('message')}", style="yellow", soft_wrap=True)
    if output != "text":
        say_data({**as_data(run, rows), **more}, output)
    elif run.phase == "Succeeded":
        outputs = of_kind(dict, run.status.get("outputs"))
        for task, values_ in list(outputs.items())[:SHOWN]:
            text = json.dumps(values_, ensure_ascii=False)
            console.print(
                f"{task}: {brief(text, 300)}",
                soft_wrap=True,
            )
        if len(outputs) > SHOWN:
            console.print(f"and outputs of {len(outputs) - SHOWN} more: see -o json", style="dim")
        if results := run.status.get("results"):
            words = f"results: {json.dumps(results, ensure_ascii=False)}"
            console.print(words, soft_wrap=True)
    if run.phase != "Succeeded":
        await print_logs(client, run, failed(rows), console)
    return run.phase == "Succeeded"
