"""YAML for people: no aliases, texts of several lines as blocks, so that a changed line is one line."""

import json
from typing import Any

import yaml


class Readable(yaml.SafeDumper):
    """Writes it."""

    def ignore_aliases(self, data: object) -> bool:
        """Whether a thing is written out wherever it stands."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def notation(value: Any) -> str:
    """A value as JSON, and so YAML, has it: `true`, `null`, `"text"`."""
    return json.dumps(value, ensure_ascii=False)


Readable.add_representer(str, _text)
