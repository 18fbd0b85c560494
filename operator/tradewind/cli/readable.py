"""YAML for people: no aliases, texts of several lines as blocks, so that a changed line is one line."""

import yaml


class Readable(yaml.SafeDumper):
    """Writes it."""

    def ignore_aliases(self, data: object) -> bool:
        """Whether a thing is written out wherever it stands."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Readable.add_representer(str, _text)
