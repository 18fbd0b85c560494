"""`make licences`: docs/licences.md, the packages of the operator's image with their licences, as images/sbom.cdx.json records them,
and those of the web UI, as ui/package-lock.json does."""

import json
from collections import Counter
from typing import Any

import operator_layers

PAGE = operator_layers.REPO / "docs/licences.md"
HEAD = """\
# Licences of dependencies

Tradewind is licensed under the Apache License 2.0. The operator's image, and `pip install 'tradewind[postgres]'`, bring these packages; each licence is what
the package's own metadata says. This page is generated from `images/sbom.cdx.json` by `make licences`.

Two kinds of licence ask for more than a notice. psycopg is under the LGPL: it is installed unmodified, as a package of its own that you can replace, and
only sensors that ask a database use it (the extra `postgres`). Parts of orjson are under the MPL 2.0, which concerns changes to its own files. The image keeps
the licence texts of all packages in `/opt/tradewind/*.dist-info`. The base image, `python:3.11-slim`, has its own: those of
CPython, and of Debian's packages in `/usr/share/doc/*/copyright`.

| package | version | licence |
|---|---|---|
"""
LOCK = operator_layers.REPO / "ui/package-lock.json"
WEB = """
## The web UI

The built files of the web UI contain code of these packages. Their licence texts are in `licences.txt` beside the files.

| package | version | licence |
|---|---|---|
"""
SAME = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""Names of classifiers for what others write as an SPDX expression."""


def page() -> str:
    """The page's text."""
    components = json.loads(operator_layers.SBOM.read_text())["components"]
    rows = [(item["name"], item["version"], licence(item)) for item in components]
    text = HEAD + "".join(
        f"| [{name}](https://pypi.org/project/{name}/) | {version} | {said} |\n" for name, version, said in rows
    )
    counted = Counter(said for _, _, said in rows)
    summary = ", ".join(
        f"{said}: {count}" for said, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{text}\n{len(rows)} packages: {summary}.\n{web_page()}"


def web_page() -> str:
    """The part about what the web UI's files are built from."""
    packages = json.loads(LOCK.read_text())["packages"]
    rows = [
        (path.rpartition("node_modules/")[2], package["version"], package["license"])
        for path, package in sorted(packages.items())
        if path and not package.get("dev")
    ]
    return WEB + "".join(
        f"| [{name}](https://www.npmjs.com/package/{name}) | {version} | {said} |\n" for name, version, said in rows
    )


def licence(component: dict[str, Any]) -> str:
    """A component's licence, in one spelling."""
    [said] = component["licenses"]
    names = said["license"]["name"].split(", ")
    return " or ".join(SAME.get(name, name) for name in names)


def main() -> None:
    """Writes the file."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
