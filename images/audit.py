"""`make audit`: are there known vulnerabilities in what the operator's image is made of? Asks OSV, or reads `--osv FILE`, its archive for
PyPI (https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip), for machines that reach no database.

Exit code 1: there are. 2: it could not be found out.
"""

import argparse
import json
import re
import sys
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import operator_layers
from packaging.version import InvalidVersion, Version

ASKED = "https://api.osv.dev/v1/querybatch"
PATIENCE = 30
"""Seconds for an answer."""


def pinned(text: str) -> dict[str, str]:
    """Versions by name, of a list of requirements."""
    return {name.lower().replace("_", "-"): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


def asked(packages: Mapping[str, str]) -> Iterator[str]:
    """A line for each vulnerability that OSV knows. Raises OSError and ValueError where it can't be asked."""
    queries = [
        {"package": {"ecosystem": "PyPI", "name": name}, "version": version} for name, version in packages.items()
    ]
    data = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(ASKED, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310 - a fixed address
        answers = json.load(response)["results"]
    for (name, version), answer in zip(packages.items(), answers, strict=True):
        for found in answer.get("vulns") or ():
            yield f"{name} {version}: {found['id']}: https://osv.dev/{found['id']}"


def read(packages: Mapping[str, str], file: Path) -> Iterator[str]:
    """The same from OSV's archive. Raises OSError, ValueError and BadZipFile."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.namelist():
            found = json.loads(archive.read(entry))
            for affected in () if found.get("withdrawn") else found.get("affected") or ():
                name = str(affected.get("package", {}).get("name", "")).lower().replace("_", "-")
                if name in packages and touches(affected, packages[name]):
                    yield f"{name} {packages[name]}: {found['id']}: {found.get('summary', '')}".rstrip(": ")


def touches(affected: Mapping[str, Any], version: str) -> bool:
    """Whether a version is one of those that are affected: it is named, or within a range."""
    if version in affected.get("versions", ()):
        return True
    return any(
        _within(each.get("events") or (), Version(version))
        for each in affected.get("ranges") or ()
        if each.get("type") == "ECOSYSTEM"
    )


def _within(events: Any, version: Version) -> bool:
    """Events come in the order of their versions."""
    inside = False
    for event in events:
        for what, text in event.items():
            try:
                at = Version("0" if text == "0" else text)
            except InvalidVersion:
                continue
            if what == "introduced" and version >= at:
                inside = True
            elif (what == "fixed" and version >= at) or (what == "last_affected" and version > at):
                inside = False
    return inside


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--osv", type=Path, help="OSV's archive for PyPI, as a file")
    chosen = parser.parse_args()
    packages = pinned(operator_layers.REQUIREMENTS.read_text())
    try:
        found = list(read(packages, chosen.osv) if chosen.osv else asked(packages))
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        where = chosen.osv or ASKED
        print(f"not audited: the database of vulnerabilities can't be read ({where}: {error})", file=sys.stderr)
        print("give its archive by OSV=FILE where no network is", file=sys.stderr)
        sys.exit(2)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(packages)} packages, {len(found)} known vulnerabilities", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
