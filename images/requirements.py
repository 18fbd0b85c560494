"""`make requirements`: images/requirements.txt, every wheel of the operator's image with its hash."""

import operator_layers
import wheels

HEAD = """\
# What the operator's image is made of, each file by its hash: pip takes nothing else (--require-hashes).
# Made by `make requirements` from pyproject.toml and constraints.txt; don't edit it by hand.
"""


def main() -> None:
    """Writes the file."""
    text = HEAD
    for package in wheels.packages():
        hashes = sorted(set(package.wheels.values()))
        text += f"{package.name}=={package.version} \\\n"
        text += " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes) + "\n"
    operator_layers.REQUIREMENTS.write_text(text)


if __name__ == "__main__":
    main()
