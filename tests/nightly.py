"""The sizes of tests: short in `make test`, long in `make nightly`."""

import os
from typing import TypeVar

T = TypeVar("T")
NIGHTLY = bool(os.environ.get("TRADEWIND_NIGHTLY"))


def sized(usual: T, nightly: T) -> T:
    """`usual`, or `nightly` if $TRADEWIND_NIGHTLY is set."""
    return nightly if NIGHTLY else usual
