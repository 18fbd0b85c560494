"""Writes the chart's README: its values, with the comments of values.yaml and, where there is none, the descriptions of the schema."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "tradewind"
HEAD = """# Tradewind

{description}

```sh
helm install tradewind charts/tradewind --namespace tradewind --create-namespace --wait
helm test tradewind --namespace tradewind
```

To upgrade with the values of the release that is there, and the defaults of the new chart for all others:

```sh
helm upgrade tradewind charts/tradewind --namespace tradewind --reset-then-reuse-values
```

CRDs are installed, upgraded and, unless `crds.keep` is false, kept on uninstall. Needs Kubernetes {kube}. More is in
[docs](../../docs): [upgrading](../../docs/upgrading.md), [security](../../docs/security.md), [monitoring](../../docs/monitoring.md),
[admission](../../docs/admission.md), [clusters with special needs](../../docs/clusters.md).

## Values

This page is generated from values.yaml: `make chart-readme`.

| value | default | what it is |
|---|---|---|
"""


def rows(
    node: yaml.MappingNode, schema: dict[str, Any], lines: list[str], path: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Path, default and description of every value, the outer ones first."""
    for key, value in node.value:
        name = f"{path}.{key.value}" if path else str(key.value)
        about = schema.get("properties", {}).get(key.value, {})
        words = _comment(lines, key.start_mark.line) or str(about.get("description", ""))
        within = isinstance(value, yaml.MappingNode) and not value.flow_style and "properties" in about
        if not within:
            yield name, f"`{json.dumps(_plain(value), ensure_ascii=False)}`", words
            continue
        if _comment(lines, key.start_mark.line):
            yield name, "", words
        yield from rows(value, about, lines, name)


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))


def _comment(lines: list[str], at: int) -> str:
    """The comment above a line, at the same indentation."""
    indent, found = re.match(r" *", lines[at])[0], []  # type: ignore[index]
    while at and (match := re.match(rf"{indent}# ?(.*)", lines[at - 1])):
        found.append(match[1])
        at -= 1
    return " ".join(reversed(found))


def readme() -> str:
    """The text."""
    text = (CHART / "values.yaml").read_text()
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    head = HEAD.format(description=about["description"], kube=about["kubeVersion"].removesuffix("-0"))
    cells = ((f"`{name}`", default, words) for name, default, words in rows(root, schema, text.splitlines()))
    return head + "".join("| {} |\n".format(" | ".join(cell.replace("|", "\\|") for cell in row)) for row in cells)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(readme())
