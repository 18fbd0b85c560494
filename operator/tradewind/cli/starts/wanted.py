"""A run as requested on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from tradewind.cli.manifests import reader
from tradewind.cli.manifests.document import BadManifest, Refusal
from tradewind.kube.client import Client, Object
from tradewind.look.run_body import run_body
from tradewind.look.whoami import BY, signed
from tradewind.model.labels import reserved
from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import from_text


@dataclass(frozen=True, slots=True)
class Wanted:
    """A requested run."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """Params as texts; they override those in `typed`."""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """Params from a file."""
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    reason: str = ""
    ask: bool | None = None
    """See `prompt_params.complete`."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the run's spec."""

    def values(self, declared: Mapping[str, Param]) -> dict[str, Any]:
        """The params, converted to the declared types."""
        return {**self.typed, **values(declared, self.texts)}

    def body(self, dag: str, params: Mapping[str, Any], name: str = "") -> Object:
        """The DAGRun."""
        body = run_body(dag, params, name or self.name)
        body["metadata"]["labels"] |= self.labels
        body["spec"] |= self.spec
        return body

    async def sign(self, client: Client, body: Object) -> None:
        """Records in a DAGRun who starts it, and why."""
        body["metadata"]["annotations"] = notes = await signed(client, self.reason)
        for edit in body["spec"].get("edits") or ():
            edit["by"] = notes[BY]


def values(declared: Mapping[str, Param], given: Mapping[str, str]) -> dict[str, Any]:
    """Params from the command line, converted to their types; unknown ones are left for validation to refuse."""
    return {name: from_text(declared[name], text) if name in declared else text for name, text in given.items()}


def params_of(path: str) -> dict[str, Any]:
    """The params from a file: one YAML or JSON object, NAME: VALUE. Raises BadManifest."""
    documents = reader.parse(path)
    if len(documents) != 1 or not isinstance(documents[0].body, dict):
        raise BadManifest(Refusal(path, 1, 1, "not params: write one YAML or JSON object, with NAME: VALUE for each"))
    return documents[0].body


def own_labels(given: Mapping[str, str]) -> Mapping[str, str]:
    """Labels from the command line. Raises UsageError for those that Tradewind writes itself."""
    for name in given:
        if reserved(name):
            prefix = name.partition("/")[0]
            raise click.UsageError(
                f"--label {name}: labels that begin with {prefix}/ are reserved for Tradewind; use another name"
            )
    return given
