"""Inputs that `make fuzz` has found, and one of each kind to check that the targets work."""

from pathlib import Path

import pytest

from fuzz.targets import TARGETS

KEPT = sorted(file for file in (Path(__file__).parent / "crashes").glob("*/*") if file.is_file())


@pytest.mark.parametrize("file", KEPT, ids=lambda file: f"{file.parent.name}-{file.name[:16]}")
def test_inputs_that_were_kept_are_withstood(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_nothing_and_anything(name: str) -> None:
    for data in (b"", b"{}", b"\xff\x00", b'{"a": [1, null]}\n\n{}'):
        TARGETS[name](data)
