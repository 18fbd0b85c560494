"""`tradewind new`: a first DAG to begin with."""

import re
import shlex
from pathlib import Path
from typing import Any

import click

from tradewind import API_VERSION
from tradewind.cli.output.terminal import say
from tradewind.model.base import DNS_SUBDOMAIN, NAMED
from tradewind.model.dag import DAG

MANIFEST = """\
# Run it here:   tradewind run -f {file}
# Check it:      tradewind lint {file}
# On a cluster:  tradewind apply -f {file}, then tradewind run {name} --watch
apiVersion: {version}
kind: DAG
metadata: {{name: {name}}}
spec:
  params:
    who: {{default: world}}  # tradewind run ... --param who=Ada
  defaults:
    image: "python:3.11-slim"  # of every task's pod; on this machine tasks are processes
  tasks:
    count:
      env: {{WHO: "$[[ params.who ]]"}}  # values reach scripts as variables only
      outputs: {{letters: {{type: integer}}}}
      script:
        python: |
          import json, os

          with open(os.environ["TRADEWIND_OUTPUTS"], "w") as file:
              json.dump({{"letters": len(os.environ["WHO"])}}, file)
    greet:
      dependsOn: [count]
      env:
        WHO: "$[[ params.who ]]"
        LETTERS: "$[[ tasks.count.outputs.letters ]]"
      script:
        shell: |
          echo "hello $WHO, your name has $LETTERS letters"
"""
ENDINGS = (".yaml", ".yml")


class _Name(click.ParamType[str]):
    """The name of a DAG, or of the file to write it to."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as given. Fails for a name that no DAG can have."""
        name = _dag(value)
        if not re.fullmatch(DNS_SUBDOMAIN, name):
            self.fail(f"{name!r} is not the name of a DAG: {NAMED[DNS_SUBDOMAIN]}", param, ctx)
        if len(name) > DAG.name_limit:
            self.fail(f"{len(name)} characters; a DAG's name has at most {DAG.name_limit}", param, ctx)
        return str(value)


@click.command()
@click.argument("name", type=_Name(), metavar="NAME|FILE.yaml")
def command(name: str) -> None:
    """Write a complete example DAG with this NAME to NAME.yaml. An existing file is not overwritten."""
    path = Path(name if name.endswith(ENDINGS) else f"{name}.yaml")
    text = MANIFEST.format(version=API_VERSION, name=_dag(name), file=shlex.quote(str(path)))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already, and stays as it is: give another name") from None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    say(f"{path} is written; run it here: tradewind run -f {shlex.quote(str(path))}")


def _dag(name: str) -> str:
    """The DAG's name: for a file, without folder and suffix."""
    return Path(name).stem if name.endswith(ENDINGS) else name
