"""YAML for people: without aliases, and texts of several lines as blocks, so that one changed line is one line of a
diff."""

import json
from typing import Any

import yaml


class Readable(yaml.SafeDumper):
    """A dumper of such YAML."""

    def ignore_aliases(self, data: object) -> bool:
        """True: every value is written out wherever it occurs."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def notation(value: Any) -> str:
    """A value in JSON, which is YAML too: `true`, `null`, `"text"`."""
    return json.dumps(value, ensure_ascii=False)


def typed(value: Any) -> str:
    """A value in the form in which it can be typed: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else notation(value)


Readable.add_representer(str, _text)
